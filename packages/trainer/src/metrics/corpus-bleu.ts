import { checkChoice } from '@burin/tensor';
import { tokenize13a } from './tokenize-13a.js';

/** How close texts are to their references, and what that was computed of. Lists go by the length of n-grams, 1 to 4. */
export interface BleuScores {
  /** 0 to 100. */
  readonly score: number;
  /** Share of the n-grams that a reference has too, in percent, smoothed where it would be 0. */
  readonly precisions: readonly number[];
  /** 1, or less where the texts are shorter than their references. */
  readonly brevityPenalty: number;
  /** n-grams that a reference has too, each counted as often as one reference has it at most. */
  readonly matches: readonly number[];
  /** n-grams. */
  readonly totals: readonly number[];
  /** Words of all texts. */
  readonly hypothesisLength: number;
  /** Words of the references, of each text the one that is nearest in length, the shorter of two. */
  readonly referenceLength: number;
}

/** What {@link corpusBleu} takes besides. */
export interface BleuOptions {
  /** `'exp'`: a precision of 0 becomes half of the least that could be, the next a quarter (default). `'none'`: the score is 0. */
  smoothing?: 'exp' | 'none';
  /** Cuts a text into words. Default {@link tokenize13a}. */
  tokenize?: (line: string) => readonly string[];
}

const MAX_ORDER = 4;

/**
 * BLEU of a corpus, as sacreBLEU computes it by default: n-grams of up to 4 words, counted over all texts together.
 *
 *     score = brevityPenalty · exp(mean of log(precision of n-grams), n = 1 .. 4)
 *     brevityPenalty = min(1, exp(1 − referenceLength / hypothesisLength))
 *
 * A score of 0 where no text has four words, or no word is right.
 *
 * @param hypotheses - a text each
 * @param references - for each, one reference or several
 * @throws RangeError if there is none, not as many references, or a text without a reference; for another smoothing
 * @see Papineni et al. 2002, https://aclanthology.org/P02-1040; Post 2018, https://aclanthology.org/W18-6319
 * @example
 * corpusBleu(['The cat sat on the mat.'], ['The cat is sitting on the mat.']).score;
 */
export function corpusBleu(
  hypotheses: readonly string[],
  references: readonly (string | readonly string[])[],
  { smoothing = 'exp', tokenize = tokenize13a }: BleuOptions = {},
): BleuScores {
  checkReferences(hypotheses, references);
  checkChoice('corpusBleu', 'smoothing', smoothing, ['exp', 'none']);
  const counts: Counts = { matches: zeros(), totals: zeros(), hypothesisLength: 0, referenceLength: 0 };
  for (const [i, hypothesis] of hypotheses.entries()) {
    addLine(counts, tokenize(hypothesis), [references[i]!].flat().map(tokenize));
  }
  const { hypothesisLength, referenceLength, matches, totals } = counts;
  const brevityPenalty =
    hypothesisLength >= referenceLength
      ? 1
      : hypothesisLength === 0
        ? 0
        : Math.exp(1 - referenceLength / hypothesisLength);
  const precisions = precisionsOf(counts, smoothing);
  const mean = precisions.reduce((sum, precision) => sum + Math.log(precision), 0) / MAX_ORDER; // −Infinity for a 0
  return {
    score: brevityPenalty * Math.exp(mean),
    precisions,
    brevityPenalty,
    matches,
    totals,
    hypothesisLength,
    referenceLength,
  };
}

interface Counts {
  readonly matches: number[];
  readonly totals: number[];
  hypothesisLength: number;
  referenceLength: number;
}

function zeros(): number[] {
  return Array.from({ length: MAX_ORDER }, () => 0);
}

function addLine(counts: Counts, hypothesis: readonly string[], references: readonly (readonly string[])[]): void {
  counts.hypothesisLength += hypothesis.length;
  counts.referenceLength += nearestLength(hypothesis.length, references);
  for (let order = 1; order <= MAX_ORDER; order++) {
    const allowed = references.map((reference) => countNgrams(reference, order));
    for (const [ngram, count] of countNgrams(hypothesis, order)) {
      const most = Math.max(...allowed.map((table) => table.get(ngram) ?? 0));
      counts.matches[order - 1]! += Math.min(count, most);
      counts.totals[order - 1]! += count;
    }
  }
}

function countNgrams(words: readonly string[], order: number): Map<string, number> {
  const counts = new Map<string, number>();
  for (let start = 0; start + order <= words.length; start++) {
    const ngram = words.slice(start, start + order).join(' '); // words hold no spaces
    counts.set(ngram, (counts.get(ngram) ?? 0) + 1);
  }
  return counts;
}

function nearestLength(length: number, references: readonly (readonly string[])[]): number {
  const lengths = references.map((reference) => reference.length);
  return lengths.sort((a, b) => Math.abs(a - length) - Math.abs(b - length) || a - b)[0]!;
}

/** In percent. With nothing right at all there is nothing to smooth; an order without n-grams stays 0, and ends it. */
function precisionsOf({ matches, totals }: Counts, smoothing: 'exp' | 'none'): number[] {
  const precisions = zeros();
  if (matches.every((count) => count === 0)) return precisions;
  let divisor = 1;
  for (const [n, total] of totals.entries()) {
    if (total === 0) break;
    if (matches[n]! > 0) precisions[n] = (100 * matches[n]!) / total;
    else if (smoothing === 'exp') {
      divisor *= 2;
      precisions[n] = 100 / (divisor * total);
    }
  }
  return precisions;
}

function checkReferences(hypotheses: readonly string[], references: readonly (string | readonly string[])[]): void {
  if (hypotheses.length === 0 || hypotheses.length !== references.length) {
    throw new RangeError(
      'corpusBleu: each text must have its references, and there must be one at least: ' +
        `got ${hypotheses.length} texts and references of ${references.length}`,
    );
  }
  const without = references.findIndex((each) => typeof each !== 'string' && each.length === 0);
  if (without >= 0) throw new RangeError(`corpusBleu: text ${without} must have a reference at least, got none`);
}
