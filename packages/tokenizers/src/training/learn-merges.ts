import { type Pair, PairQueue } from './pair-queue.js';

/** A word that occurs `count` times, as ids of symbols. Learning merges shortens `symbols`. */
export interface Word {
  readonly symbols: number[];
  readonly count: number;
}

/** What there is before the first merge, and when to stop. */
export interface MergeTask {
  readonly words: readonly Word[];
  /** The text of each id: special tokens and the alphabet. */
  readonly vocab: readonly string[];
  /** Stop at this many ids. */
  readonly vocabSize: number;
  /** Stop at pairs that occur less often. */
  readonly minFrequency: number;
  /** Pairs whose text would be longer stay apart. */
  readonly maxTokenLength: number;
  /** The text of two symbols together. */
  readonly join: (left: string, right: string) => string;
}

/** The vocabulary by id, and the merges in the order in which they were learned. */
export interface MergeResult {
  readonly vocab: string[];
  readonly merges: [left: number, right: number][];
}

/**
 * Byte-pair encoding: merges the most frequent pair of neighbours everywhere, again and again. Of equally frequent pairs the
 * one with the smaller left id is merged, then with the smaller right id. A text has one way only to become a token, so no
 * pair is merged twice; one whose text is a special token gets that token's id.
 *
 * Counts are kept up to date: a merge visits only the words that hold the pair.
 *
 * @see Sennrich et al. 2016, https://arxiv.org/abs/1508.07909
 */
export function learnMerges(task: MergeTask): MergeResult {
  const vocab = [...task.vocab];
  const ids = new Map(vocab.map((text, id) => [text, id]));
  const merges: [number, number][] = [];
  const queue = new PairQueue();
  const pairs = new PairCounts();
  const enqueue = (pair: Pair) => {
    const length = vocab[pair.left]!.length + vocab[pair.right]!.length;
    if (length <= task.maxTokenLength) queue.push(pair);
  };
  task.words.forEach((word, number) => {
    pairs.count(word, number, 1, null);
  });
  for (const pair of pairs.all()) enqueue(pair);
  const least = Math.max(1, task.minFrequency);
  while (vocab.length < task.vocabSize) {
    const pair = queue.pop(least);
    if (!pair) break;
    const text = task.join(vocab[pair.left]!, vocab[pair.right]!);
    const id = ids.get(text) ?? vocab.push(text) - 1;
    ids.set(text, id);
    merges.push([pair.left, pair.right]);
    for (const changed of pairs.merge(pair, id, task.words)) enqueue(changed);
  }
  return { vocab, merges };
}

/** All pairs of neighbours, found by their two ids. */
class PairCounts {
  readonly #byLeft: Map<number, Pair>[] = [];

  *all(): Generator<Pair> {
    for (const pairs of this.#byLeft) if (pairs) yield* pairs.values();
  }

  /**
   * Adds a word's pairs, or takes them away (`sign` −1). Pairs with the symbol `fresh` (all, where it is null) are told in
   * which word they are; the others know.
   */
  count({ symbols, count }: Word, number: number, sign: 1 | -1, fresh: number | null, changed?: Set<Pair>): void {
    for (let i = 1; i < symbols.length; i++) {
      const left = symbols[i - 1]!;
      const right = symbols[i]!;
      const pair = this.#get(left, right);
      pair.count += sign * count;
      if (sign < 0 || (fresh !== null && fresh !== left && fresh !== right)) continue;
      if (pair.words.at(-1) !== number) pair.words.push(number);
      changed?.add(pair);
    }
  }

  /** Merges a pair wherever it is. @returns the pairs that are new or more frequent */
  merge(pair: Pair, id: number, words: readonly Word[]): Set<Pair> {
    const changed = new Set<Pair>();
    const holders = pair.words;
    pair.words = [];
    for (const number of holders) {
      const word = words[number]!;
      if (!holds(word.symbols, pair)) continue; // merged with other neighbours meanwhile, or listed twice
      this.count(word, number, -1, null);
      replacePair(word.symbols, pair, id);
      this.count(word, number, 1, id, changed);
    }
    return changed;
  }

  #get(left: number, right: number): Pair {
    this.#byLeft[left] ??= new Map();
    const pairs = this.#byLeft[left];
    let pair = pairs.get(right);
    if (!pair) {
      pair = { left, right, count: 0, words: [] };
      pairs.set(right, pair);
    }
    return pair;
  }
}

function holds(symbols: readonly number[], { left, right }: Pair): boolean {
  for (let i = 1; i < symbols.length; i++) if (symbols[i - 1] === left && symbols[i] === right) return true;
  return false;
}

/** From left to right, in place. */
function replacePair(symbols: number[], { left, right }: Pair, id: number): void {
  let kept = 0;
  for (let i = 0; i < symbols.length; i++) {
    const isPair = symbols[i] === left && symbols[i + 1] === right;
    symbols[kept++] = isPair ? id : symbols[i]!;
    if (isPair) i++;
  }
  symbols.length = kept;
}
