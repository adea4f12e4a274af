import type { Offset } from '../encoding.js';
import { TokenizerError } from '../errors.js';
import type { ChatMessage } from './chat-message.js';
import { TURN_END, TURN_START } from './chat-template.js';

/** Renders messages, with what opens a turn of the assistant behind them if `prompt`. */
export type Render = (messages: readonly ChatMessage[], prompt: boolean) => string;

/**
 * Which parts of a rendered conversation a template with `{% generation %}` calls the assistant's.
 *
 * @throws TokenizerError if the marks change what is rendered
 */
export function markedSpans(text: string, marked: string): Offset[] {
  const spans: Offset[] = [];
  let plain = '';
  let start = 0;
  for (const part of marked.split(new RegExp(`(?=[${TURN_START}${TURN_END}])`))) {
    if (part.startsWith(TURN_START)) start = plain.length;
    if (part.startsWith(TURN_END)) spans.push([start, plain.length]);
    plain += part.startsWith(TURN_START) || part.startsWith(TURN_END) ? part.slice(1) : part;
  }
  if (plain !== text) {
    throw new TokenizerError('encodeChat: the chat template renders otherwise where {% generation %} is marked');
  }
  return spans;
}

/**
 * Which parts of a rendered conversation the assistant says: from where its turn is opened, as a model that generates finds
 * it, to where the turn is over. Found by rendering the conversation's beginnings, never by looking for tokens.
 *
 * @throws TokenizerError if the template renders a beginning otherwise once more messages follow, so that a turn's place
 *   cannot be told
 */
export function assistantSpans(text: string, messages: readonly ChatMessage[], render: Render): Offset[] {
  return messages.flatMap(({ role }, i) => {
    if (role !== 'assistant') return [];
    const before = render(messages.slice(0, i), true);
    if (!text.startsWith(before)) throw changedBeginning(i, before, text);
    const turn = render(messages.slice(0, i + 1), false);
    const end = text.startsWith(turn) ? turn.length : endOfRewrittenTurn(text, turn, messages, i, render);
    if (end === null || end < before.length) throw changedBeginning(i, turn, text);
    return [[before.length, end] as const];
  });
}

/**
 * Some templates show less of a turn once others follow, such as not what the model thought. The turn's text still ends
 * somewhere: a letter put behind it shows where, with the whole conversation and with its beginning alone; and what follows
 * the text in the beginning alone is what closes the turn.
 */
function endOfRewrittenTurn(
  text: string,
  turn: string,
  messages: readonly ChatMessage[],
  index: number,
  render: Render,
): number | null {
  const message = messages[index]!;
  if (typeof message.content !== 'string') return null;
  const probed = messages.with(index, { ...message, content: message.content + TURN_END });
  const end = text.length - sharedEnd(text, render(probed, false));
  const close = turn.slice(turn.length - sharedEnd(turn, render(probed.slice(0, index + 1), false)));
  return text.startsWith(close, end) ? end + close.length : null;
}

/** Without white space behind a token that ends the turn: a model has stopped by then. */
export function upToEndToken(text: string, [start, end]: Offset, specialTokens: readonly string[]): Offset {
  const trimmed = text.slice(start, end).trimEnd();
  return specialTokens.some((token) => trimmed.endsWith(token)) ? [start, start + trimmed.length] : [start, end];
}

/** How many characters two texts share at their ends. */
function sharedEnd(a: string, b: string): number {
  let shared = 0;
  while (shared < Math.min(a.length, b.length) && a.at(-1 - shared) === b.at(-1 - shared)) shared++;
  return shared;
}

function changedBeginning(index: number, expected: string, text: string): TokenizerError {
  let same = 0;
  while (same < expected.length && expected[same] === text[same]) same++;
  const near = (of: string) => JSON.stringify(of.slice(Math.max(0, same - 20), same + 20));
  return new TokenizerError(
    `encodeChat: message ${index}: the chat template renders what comes first otherwise once more messages follow, so the ` +
      `assistant's part cannot be told: expected ${near(expected)}, got ${near(text)}; ` +
      'give a template with {% generation %} around that part',
  );
}
