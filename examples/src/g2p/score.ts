import type { Pair } from '../shared-files.js';

/** How well words are spelled out. */
export interface SpellingScores {
  /** Share of the words whose phonemes are all right. */
  readonly exact: number;
  /** Wrong, missing and extra phonemes, divided by the phonemes that are wanted. */
  readonly errorRate: number;
}

/** Compares what was said of each word with what its pair wants. */
export function scoreSpelling(said: readonly string[], pairs: readonly Pair[]): SpellingScores {
  let [exact, errors, wanted] = [0, 0, 0];
  for (const [i, { target }] of pairs.entries()) {
    if (said[i] === target) exact++;
    errors += editDistance([...said[i]!], [...target]);
    wanted += [...target].length;
  }
  return { exact: exact / pairs.length, errorRate: errors / wanted };
}

/** Fewest insertions, deletions and replacements that make b of a (Levenshtein 1966). */
export function editDistance(a: readonly string[], b: readonly string[]): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (const [i, letter] of a.entries()) {
    const next = [i + 1];
    for (const [j, other] of b.entries()) {
      next.push(Math.min(row[j]! + (letter === other ? 0 : 1), row[j + 1]! + 1, next[j]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
