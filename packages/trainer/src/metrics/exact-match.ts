/** How many answers are right. */
export interface ExactMatchScores {
  /** Share of the predictions that equal a reference, after normalisation. */
  readonly exactMatch: number;
  /** Mean over the predictions of the F1 of their words. */
  readonly f1: number;
  /** Each prediction: whether it equals a reference. */
  readonly exact: readonly boolean[];
  /** Each prediction: F1 of its words against the reference that gives it the best. */
  readonly wordF1: readonly number[];
}

/** What {@link exactMatch} takes besides. */
export interface ExactMatchOptions {
  /** Done to both sides before they are compared. Default {@link normalizeAnswer}; `(text) => text` compares them as they are. */
  normalize?: (text: string) => string;
}

const PUNCTUATION = /[!-/:-@[-`{-~]/g; // Python's string.punctuation
const ARTICLES = /(?<![\p{L}\p{N}_])(?:a|an|the)(?![\p{L}\p{N}_])/gu; // \b knows ASCII letters only

/**
 * What SQuAD's script does to an answer before it compares: lower case, no ASCII punctuation, no articles, single spaces.
 *
 * @example
 * normalizeAnswer('The Eiffel Tower!'); // 'eiffel tower'
 */
export function normalizeAnswer(text: string): string {
  const bare = text.toLowerCase().replace(PUNCTUATION, '').replace(ARTICLES, ' ');
  return wordsOf(bare).join(' ');
}

/**
 * Compares answers with references, as SQuAD does: exact matches, and the F1 of words that they share.
 *
 *     f1 = 2 · shared / (words of the prediction + words of the reference)
 *
 * Where one side has no words, f1 is 1 if the other has none either, else 0.
 *
 * @param references - for each prediction, one or several; the best counts
 * @throws RangeError if there is no prediction, not as many references, or a prediction without a reference
 * @see Rajpurkar et al. 2016, https://arxiv.org/abs/1606.05250
 * @example
 * exactMatch(['The Eiffel Tower!'], ['Eiffel tower']).exactMatch; // 1
 */
export function exactMatch(
  predictions: readonly string[],
  references: readonly (string | readonly string[])[],
  { normalize = normalizeAnswer }: ExactMatchOptions = {},
): ExactMatchScores {
  if (predictions.length === 0 || predictions.length !== references.length) {
    throw new RangeError(
      'exactMatch: each prediction must have its references, and there must be one at least: ' +
        `got ${predictions.length} predictions and references of ${references.length}`,
    );
  }
  const exact: boolean[] = [];
  const wordF1: number[] = [];
  for (const [i, prediction] of predictions.entries()) {
    const answer = normalize(prediction);
    const wanted = [references[i]!].flat().map(normalize);
    if (wanted.length === 0)
      throw new RangeError(`exactMatch: prediction ${i} must have a reference at least, got none`);
    exact.push(wanted.includes(answer));
    wordF1.push(Math.max(...wanted.map((each) => sharedF1(wordsOf(answer), wordsOf(each)))));
  }
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  return { exactMatch: mean(exact.map(Number)), f1: mean(wordF1), exact, wordF1 };
}

function wordsOf(text: string): string[] {
  return text.split(/\s+/u).filter((word) => word !== '');
}

function sharedF1(prediction: readonly string[], reference: readonly string[]): number {
  if (prediction.length === 0 || reference.length === 0) return prediction.length === reference.length ? 1 : 0;
  const left = new Map<string, number>();
  for (const word of reference) left.set(word, (left.get(word) ?? 0) + 1);
  let shared = 0;
  for (const word of prediction) {
    const count = left.get(word) ?? 0;
    if (count === 0) continue;
    shared++;
    left.set(word, count - 1);
  }
  return (2 * shared) / (prediction.length + reference.length);
}
