import type { Json } from '../json.js';

/** Units of a word: from, to. */
type Range = readonly [from: number, to: number];

const BYTE_TOKEN = /^<0x[0-9A-F]{2}>$/;

/**
 * Which units of a word each of its tokens covers.
 *
 * @param model - the `model` of the tokenizer.json
 * @returns null where the tokens do not spell the word
 */
export function tokenRanges(model: Json, word: string, tokens: readonly string[], isKnown: (token: string) => boolean) {
  if (model.type === 'WordPiece') return wordPieceRanges(model, word, tokens);
  if (model.type === 'WordLevel') return tokens.length === 1 ? [[0, word.length] as const] : null;
  const suffix = typeof model.end_of_word_suffix === 'string' ? model.end_of_word_suffix : '';
  const ranges: Range[] = [];
  let at = 0;
  for (let i = 0; i < tokens.length; ) {
    const token = i === tokens.length - 1 && suffix ? tokens[i]!.replace(suffix, '') : tokens[i]!;
    const character = String.fromCodePoint(word.codePointAt(at) ?? 0);
    const count = coveredBy(token, { model, word, at, character, isKnown });
    if (count === null) return null;
    const to = at + (count > 0 ? character.length : token.length);
    for (let n = 0; n < Math.max(1, count); n++) ranges.push([at, to]);
    i += Math.max(1, count);
    at = to;
  }
  return at === word.length ? ranges : null;
}

/**
 * How many tokens stand for one character that the vocabulary does not have; 0 where the token is what is written; null where
 * neither holds.
 */
function coveredBy(
  token: string,
  at: { model: Json; word: string; at: number; character: string; isKnown: (token: string) => boolean },
): number | null {
  const isUnknown = at.at < at.word.length && !at.isKnown(at.character);
  if (isUnknown && at.model.byte_fallback === true && BYTE_TOKEN.test(token)) {
    return new TextEncoder().encode(at.character).length;
  }
  if (isUnknown && token === at.model.unk_token) return 1;
  return token !== '' && at.word.startsWith(token, at.at) ? 0 : null;
}

function wordPieceRanges(model: Json, word: string, tokens: readonly string[]): Range[] | null {
  if (tokens.length === 1 && tokens[0] === model.unk_token) return [[0, word.length]];
  const prefix = String(model.continuing_subword_prefix ?? '##');
  const ranges: Range[] = [];
  let at = 0;
  for (const [i, token] of tokens.entries()) {
    const piece = i > 0 && token.startsWith(prefix) ? token.slice(prefix.length) : token;
    if (!word.startsWith(piece, at)) return null;
    ranges.push([at, at + piece.length]);
    at += piece.length;
  }
  return at === word.length ? ranges : null;
}
