import { Template } from '@huggingface/jinja';
import { TokenizerError } from '../errors.js';
import { isObject, type Json, objectsIn, tokenText } from '../json.js';
import type { ChatMessage, ChatOptions } from './chat-message.js';

/** A tag that says where the assistant's text begins or ends, with the white space that it takes away. */
const GENERATION_TAG = /(?:^[ \t]+)?\{%(-?)\s*(end)?generation\s*(-?)%\}\n?/gm;

/** Two characters that Unicode keeps free for use inside a program: no text has them. */
export const TURN_START = '\ufdd0';
export const TURN_END = '\ufdd1';

const SPECIAL_ROLES = ['bos', 'eos', 'unk', 'sep', 'pad', 'cls', 'mask'] as const;

/** A chat template, ready to be filled in. */
export class ChatTemplate {
  /** It says itself which text is the assistant's: `{% generation %}`. */
  readonly marksTurns: boolean;
  readonly #template: Template;
  readonly #marked: Template;
  readonly #specials: Json;

  /** @throws TokenizerError if it is no Jinja */
  constructor(source: string, specials: Json) {
    const marked = source.replace(GENERATION_TAG, (_, before: string, end: string | undefined, after: string) => {
      return `{{${before} '${end ? TURN_END : TURN_START}' ${after}}}`;
    });
    this.marksTurns = marked !== source;
    this.#specials = specials;
    try {
      this.#template = new Template(source);
      this.#marked = this.marksTurns ? new Template(marked) : this.#template;
    } catch (cause) {
      throw new TokenizerError(`chat template: expected Jinja that can be read: ${String(cause)}`, { cause });
    }
  }

  /** The text of a conversation. @throws TokenizerError with the template's own words if it refuses the messages */
  render(messages: readonly ChatMessage[], options: ChatOptions, addGenerationPrompt: boolean): string {
    return this.#fill(this.#template, messages, options, addGenerationPrompt);
  }

  /** The same with TURN_START and TURN_END around what the template calls the assistant's. */
  renderMarked(messages: readonly ChatMessage[], options: ChatOptions): string {
    return this.#fill(this.#marked, messages, options, false);
  }

  #fill(template: Template, messages: readonly ChatMessage[], options: ChatOptions, prompt: boolean): string {
    const { tools = null, documents = null, variables } = options;
    try {
      return template.render({
        ...this.#specials,
        ...variables,
        messages,
        tools,
        documents,
        add_generation_prompt: prompt,
      });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new TokenizerError(`chat template: ${reason}`, { cause });
    }
  }
}

/** The special tokens that a template may name, such as `bos_token`. */
export function templateVariables(config: Json): Json {
  const named = SPECIAL_ROLES.map((role) => [`${role}_token`, tokenText(config[`${role}_token`])] as const);
  return Object.fromEntries(named.filter(([, token]) => token !== null));
}

/**
 * The template to use: the one asked for by name or given itself, else the tokenizer's only one, else `tool_use` where there
 * are tools, else `default`.
 *
 * @throws TokenizerError if there is none
 */
export function pickTemplate(config: Json, { chatTemplate: asked, tools }: ChatOptions): string {
  const stored = config.chat_template;
  const named = isObject(stored)
    ? new Map(Object.entries(stored).map(([name, template]) => [name, String(template)]))
    : new Map(objectsIn(stored).map(({ name, template }) => [String(name), String(template)]));
  if (asked !== undefined) return named.get(asked) ?? asked;
  if (typeof stored === 'string') return stored;
  const template = (tools && named.get('tool_use')) ?? named.get('default');
  if (template !== undefined) return template;
  const names = [...named.keys()].join(', ');
  throw new TokenizerError(
    names === ''
      ? 'applyChatTemplate: the tokenizer has no chat template: give one as chatTemplate'
      : `applyChatTemplate: the tokenizer has several chat templates: expected chatTemplate to be one of ${names}`,
  );
}
