import { TokenizerError } from '../errors.js';
import type { Word } from './learn-merges.js';

/** What both trainers are told. */
export interface TrainingOptions {
  /** Ids in all: special tokens, alphabet and merges. Fewer where the texts give no more pairs. */
  vocabSize: number;
  /** Pairs that occur less often are not merged. Default 2. */
  minFrequency?: number;
  /** Tokens that are never split; they get the first ids, in this order. */
  specialTokens?: readonly string[];
  /** Longest token in characters. Default: any. */
  maxTokenLength?: number;
}

/** Names of the above. */
export const TRAINING_OPTIONS = ['vocabSize', 'minFrequency', 'specialTokens', 'maxTokenLength'] as const;

/** The words of texts, and how often each occurs. */
export function countWords(texts: Iterable<string>, split: (text: string) => Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>();
  for (const text of texts) {
    for (const word of split(text)) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  return counts;
}

/** The special tokens and the alphabet, by id. @throws if there is no room for a merge, or a token comes twice */
export function firstTokens(who: string, specials: readonly string[], alphabet: readonly string[], vocabSize: number) {
  const vocab = [...specials, ...alphabet];
  const twice = vocab.find((token, id) => vocab.indexOf(token) !== id);
  if (twice !== undefined) {
    throw new TokenizerError(`${who}: expected different tokens, got ${JSON.stringify(twice)} twice`);
  }
  if (!Number.isInteger(vocabSize) || vocabSize < vocab.length) {
    throw new RangeError(
      `${who}: vocabSize must have room for ${specials.length} special tokens and an alphabet of ${alphabet.length}: ` +
        `expected ${vocab.length} or more, got ${vocabSize}`,
    );
  }
  return vocab;
}

/** The special tokens that were asked for, and those that have a part to play, in front or behind, once each. */
export function specialTokensOf(
  asked: readonly string[] = [],
  roles: readonly (string | undefined)[] = [],
  rolesFirst = false,
): string[] {
  const missing = [...new Set(roles)].filter((token) => token !== undefined && (rolesFirst || !asked.includes(token)));
  const tokens = missing as string[];
  return rolesFirst ? [...tokens, ...asked.filter((token) => !tokens.includes(token))] : [...asked, ...tokens];
}

/** Words as ids of symbols; a word with a symbol that has no id is left out. */
export function wordsAsSymbols(
  counts: ReadonlyMap<string, number>,
  vocab: readonly string[],
  split: (word: string) => readonly string[],
): Word[] {
  const ids = new Map(vocab.map((token, id) => [token, id]));
  const words = [...counts].map(([word, count]) => ({
    symbols: split(word).map((symbol) => ids.get(symbol) ?? -1),
    count,
  }));
  return words.filter(({ symbols }) => !symbols.includes(-1));
}

/** An entry of `added_tokens` in tokenizer.json. */
export function addedToken(content: string, id: number) {
  return { id, content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true };
}

/** Token to id, as a JSON object. */
export function vocabObject(vocab: readonly string[]): Record<string, number> {
  return Object.fromEntries(vocab.map((token, id) => [token, id]));
}
