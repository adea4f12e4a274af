import type { Offset } from '../encoding.js';
import { TokenizerError } from '../errors.js';
import { type Json, objectsIn } from '../json.js';
import { assistantSpans, markedSpans, upToEndToken } from './assistant-spans.js';
import type { ChatMessage, ChatOptions, ChatTemplateOptions } from './chat-message.js';
import { ChatTemplate, pickTemplate, templateVariables } from './chat-template.js';
import { cutAfterFinalMessage } from './continue-final-message.js';

/** Conversations as text, by the chat templates of one tokenizer. */
export class ChatRenderer {
  readonly #config: Json;
  readonly #specialTokens: readonly string[];
  readonly #compiled = new Map<string, ChatTemplate>();

  constructor(json: Json, config: Json) {
    this.#config = config;
    this.#specialTokens = objectsIn(json.added_tokens).flatMap(({ special, content }) => {
      return special === true && typeof content === 'string' ? [content] : [];
    });
  }

  render(messages: readonly ChatMessage[], options: ChatTemplateOptions): string {
    const { addGenerationPrompt = false, continueFinalMessage = false } = options;
    if (addGenerationPrompt && continueFinalMessage) {
      throw new TokenizerError(
        'applyChatTemplate: expected addGenerationPrompt to open a new turn or continueFinalMessage to go on with the last ' +
          'one, got both',
      );
    }
    const text = this.#template(options).render(messages, options, addGenerationPrompt);
    return continueFinalMessage ? cutAfterFinalMessage(text, messages) : text;
  }

  /** The text of a conversation, and which parts of it the assistant says. */
  renderTurns(messages: readonly ChatMessage[], options: ChatOptions): { text: string; spans: Offset[] } {
    const template = this.#template(options);
    const text = template.render(messages, options, false);
    if (template.marksTurns) return { text, spans: markedSpans(text, template.renderMarked(messages, options)) };
    const spans = assistantSpans(text, messages, (part, prompt) => template.render(part, options, prompt));
    return { text, spans: spans.map((span) => upToEndToken(text, span, this.#specialTokens)) };
  }

  #template(options: ChatOptions): ChatTemplate {
    const source = pickTemplate(this.#config, options);
    const compiled = this.#compiled.get(source) ?? new ChatTemplate(source, templateVariables(this.#config));
    this.#compiled.set(source, compiled);
    return compiled;
  }
}
