import { TokenizerError } from '../errors.js';
import type { ChatMessage } from './chat-message.js';

/**
 * Cuts a rendered conversation off behind its last message's own text, as transformers does.
 *
 * @throws TokenizerError if the last message has no text, or the template changed it
 */
export function cutAfterFinalMessage(text: string, messages: readonly ChatMessage[]): string {
  const content = messages.at(-1)?.content;
  const trimmed = typeof content === 'string' ? content.trim() : '';
  const at = trimmed === '' ? -1 : text.lastIndexOf(trimmed);
  if (at < 0) {
    throw new TokenizerError(
      'applyChatTemplate: continueFinalMessage needs the text of the last message as the template shows it: ' +
        `expected to find ${JSON.stringify(content ?? null)} in ${JSON.stringify(text.slice(-80))}`,
    );
  }
  const kept = String(content).trimStart();
  return text.slice(0, at + (text.startsWith(kept, at) ? kept.length : trimmed.length));
}
