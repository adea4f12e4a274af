/** Precision, recall and F1 of one class, each 0 where its denominator is 0 (scikit-learn's `zero_division=0`). */
export interface ClassScores {
  readonly precision: number;
  readonly recall: number;
  readonly f1: number;
}

/** Accuracy and F1 of predicted classes. */
export interface ClassificationScores {
  /** Share of predictions that are right. */
  readonly accuracy: number;
  /** Mean of the classes' F1; a class that is never predicted counts with 0. */
  readonly f1Macro: number;
  /** F1 over all decisions together; with one class an example it equals the accuracy. */
  readonly f1Micro: number;
  /** Mean of the classes' F1, weighted by how often each is the label. */
  readonly f1Weighted: number;
  readonly precisionMacro: number;
  readonly recallMacro: number;
  /** By class. */
  readonly perClass: readonly ClassScores[];
}

/**
 * Share of `predictions` that equal their label.
 *
 * @throws RangeError if there are none, or not as many labels
 */
export function accuracy(predictions: ArrayLike<number>, labels: ArrayLike<number>): number {
  checkPairs('accuracy', predictions, labels);
  let right = 0;
  for (let i = 0; i < labels.length; i++) if (predictions[i] === labels[i]) right++;
  return right / labels.length;
}

/**
 * Scores of one class against all others.
 *
 *     precision = right / predicted      recall = right / labelled      f1 = 2 · right / (predicted + labelled)
 *
 * @param options.positive - the class, default 1
 * @throws RangeError if there are no predictions, or not as many labels
 */
export function binaryScores(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  { positive = 1 }: { positive?: number } = {},
): ClassScores & { readonly accuracy: number } {
  checkPairs('binaryScores', predictions, labels);
  return { accuracy: accuracy(predictions, labels), ...scoresOf(countClass(predictions, labels, positive)) };
}

/**
 * Scores over several classes.
 *
 * @param options.numClasses - default: one more than the largest class that comes up
 * @throws RangeError if there are no predictions, not as many labels, or a class is not 0 .. numClasses − 1
 */
export function classificationScores(
  predictions: ArrayLike<number>,
  labels: ArrayLike<number>,
  { numClasses = 1 + largest(predictions, labels) }: { numClasses?: number } = {},
): ClassificationScores {
  checkPairs('classificationScores', predictions, labels);
  checkClasses(predictions, numClasses);
  checkClasses(labels, numClasses);
  const counts = Array.from({ length: numClasses }, (_, label) => countClass(predictions, labels, label));
  const perClass = counts.map(scoresOf);
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / numClasses;
  const weighted = perClass.reduce((sum, { f1 }, label) => sum + f1 * counts[label]!.labelled, 0);
  const share = accuracy(predictions, labels);
  return {
    accuracy: share,
    f1Macro: mean(perClass.map(({ f1 }) => f1)),
    f1Micro: share, // each wrong decision is one false positive and one false negative
    f1Weighted: weighted / labels.length,
    precisionMacro: mean(perClass.map(({ precision }) => precision)),
    recallMacro: mean(perClass.map(({ recall }) => recall)),
    perClass,
  };
}

/**
 * The most likely class of each row: the first of equal ones.
 *
 * @param logits - rows of `numClasses`, flat
 * @throws RangeError if the rows are not whole
 */
export function predictedClasses(logits: ArrayLike<number>, numClasses: number): Int32Array {
  if (!Number.isInteger(numClasses) || numClasses < 1 || logits.length % numClasses !== 0) {
    throw new RangeError(`predictedClasses: expected rows of ${numClasses} logits, got ${logits.length} numbers`);
  }
  return Int32Array.from({ length: logits.length / numClasses }, (_, row) => {
    let best = 0;
    for (let c = 1; c < numClasses; c++) {
      if (logits[row * numClasses + c]! > logits[row * numClasses + best]!) best = c;
    }
    return best;
  });
}

interface Counts {
  right: number;
  predicted: number;
  labelled: number;
}

function countClass(predictions: ArrayLike<number>, labels: ArrayLike<number>, label: number): Counts {
  const counts = { right: 0, predicted: 0, labelled: 0 };
  for (let i = 0; i < labels.length; i++) {
    const [isPredicted, isLabel] = [predictions[i] === label, labels[i] === label];
    if (isPredicted) counts.predicted++;
    if (isLabel) counts.labelled++;
    if (isPredicted && isLabel) counts.right++;
  }
  return counts;
}

function scoresOf({ right, predicted, labelled }: Counts): ClassScores {
  const ratio = (a: number, b: number) => (b === 0 ? 0 : a / b);
  return {
    precision: ratio(right, predicted),
    recall: ratio(right, labelled),
    f1: ratio(2 * right, predicted + labelled),
  };
}

function largest(...lists: readonly ArrayLike<number>[]): number {
  let most = 0;
  for (const list of lists) for (let i = 0; i < list.length; i++) most = Math.max(most, list[i]!);
  return most;
}

function checkPairs(who: string, predictions: ArrayLike<number>, labels: ArrayLike<number>): void {
  if (labels.length > 0 && predictions.length === labels.length) return;
  throw new RangeError(
    `${who}: each prediction must have its label, and there must be one at least: ` +
      `got ${predictions.length} predictions and ${labels.length} labels`,
  );
}

function checkClasses(classes: ArrayLike<number>, numClasses: number): void {
  for (let i = 0; i < classes.length; i++) {
    const value = classes[i]!;
    if (Number.isInteger(value) && value >= 0 && value < numClasses) continue;
    throw new RangeError(
      `classificationScores: classes must be whole numbers from 0 to ${numClasses - 1}, got ${value} at ${i}`,
    );
  }
}
