import type { Offset } from '../encoding.js';
import { TokenizerError } from '../errors.js';

/** A conversation to train on. It is an example that a trainer takes. */
export interface ChatEncoding {
  readonly inputIds: number[];
  readonly attentionMask: number[];
  /** The ids where the assistant speaks, −100 elsewhere: not trained. */
  readonly labels: number[];
  /** 1 where the assistant speaks. */
  readonly assistantMask: number[];
  /** How many tokens are trained. */
  readonly trainedTokens: number;
}

/** What stands in labels where nothing is trained. */
const IGNORE_INDEX = -100;

/** Ids of a text without special tokens, and where they lie. */
export interface ChatTokens {
  readonly ids: readonly number[];
  readonly offsets: () => readonly (Offset | null)[];
}

/**
 * Turns parts of a text into a mask of its tokens.
 *
 * @param idsOf - ids of a text; those of a part's beginning must be the first ids of the whole, or places must tell
 * @throws TokenizerError if a token lies on both sides of a border, or no token is trained
 */
export function maskTokens(
  text: string,
  spans: readonly Offset[],
  tokens: ChatTokens,
  idsOf: (text: string) => readonly number[],
): ChatEncoding {
  const inputIds = [...tokens.ids];
  const assistantMask = inputIds.map(() => 0);
  for (const [start, end] of spans) {
    const [first, last] = [start, end].map((at) => tokenBorder(text, at, tokens, idsOf));
    assistantMask.fill(1, first, last);
  }
  const trainedTokens = assistantMask.filter((mask) => mask === 1).length;
  if (trainedTokens === 0) {
    throw new TokenizerError(
      'encodeChat: nothing to train on: expected a message with role assistant that the chat template shows, got none',
    );
  }
  const labels = inputIds.map((id, i) => (assistantMask[i] === 1 ? id : IGNORE_INDEX));
  return { inputIds, attentionMask: inputIds.map(() => 1), labels, assistantMask, trainedTokens };
}

/** How many tokens lie before a place in the text. */
function tokenBorder(text: string, at: number, tokens: ChatTokens, idsOf: (text: string) => readonly number[]): number {
  const before = idsOf(text.slice(0, at));
  if (before.every((id, i) => id === tokens.ids[i])) return before.length;
  const offsets = tokens.offsets();
  const border = offsets.findIndex((offset) => offset === null || offset[1] > at);
  const offset = offsets[border];
  // A space before a word is in the word's token: the token is the word's.
  if (offset && text.slice(offset[0], at).trim() === '') return border;
  throw new TokenizerError(
    `encodeChat: a token lies on both sides of the border of the assistant's part: expected one that ends at ` +
      `${JSON.stringify(text.slice(Math.max(0, at - 20), at))}, got ` +
      (offset ? JSON.stringify(text.slice(...offset)) : 'one whose place is not known'),
  );
}
