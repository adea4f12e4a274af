import { DataError } from '../errors.js';
import type { Example } from './example.js';
import { IGNORE_INDEX } from './host-batch.js';

/** What ids and labels may be. */
export interface Limits {
  /** Ids are 0 .. vocabSize − 1. Left out: any whole number of 0 or more. */
  vocabSize?: number;
  /** Class labels are 0 .. numLabels − 1. */
  numLabels?: number;
}

/** @throws DataError unless the example has tokens, and all are ids of the vocabulary */
export function checkInputIds(who: string, { inputIds, attentionMask }: Example, index: number, limits: Limits): void {
  const length = lengthOf(inputIds);
  if (length === null || length === 0) {
    const remedy =
      'encode texts: { inputIds: tokenizer.encode(text) }, or pass a collator for examples of another kind';
    const got = length === 0 ? 'none' : `${typeof inputIds}; ${remedy}`;
    throw new DataError(`${who}: example ${index}: inputIds must hold a token at least, got ${got}`);
  }
  checkRange(`${who}: example ${index}: inputIds`, inputIds, limits.vocabSize, false);
  if (attentionMask !== undefined && attentionMask.length !== length) {
    throw new DataError(
      `${who}: example ${index}: attentionMask must be as long as inputIds: expected ${length}, got ${attentionMask.length}`,
    );
  }
}

/** @throws DataError unless there is a label for each token, each −100 or an id of the vocabulary */
export function checkTokenLabels(who: string, { inputIds, labels }: Example, index: number, limits: Limits): void {
  if (labels === undefined) return;
  const length = lengthOf(labels);
  if (length !== inputIds.length) {
    const got =
      length === null
        ? `the ${typeof labels} ${String(labels)}; for one class an example use classificationCollator`
        : `${length}; for a source and a target use seq2seqCollator`;
    throw new DataError(
      `${who}: example ${index}: labels must be as many as inputIds: expected ${inputIds.length}, got ${got}`,
    );
  }
  checkRange(`${who}: example ${index}: labels`, labels as ArrayLike<number>, limits.vocabSize, true);
}

/** @throws DataError unless the labels are a target: a list of ids of its vocabulary, or −100, one at least */
export function checkTarget(who: string, { labels }: Example, index: number, vocabSize: number | undefined): void {
  const length = lengthOf(labels);
  if (!length) {
    const got = length === 0 ? 'none' : String(labels);
    throw new DataError(`${who}: example ${index}: labels must be the target's ids, one at least, got ${got}`);
  }
  checkRange(`${who}: example ${index}: labels`, labels as ArrayLike<number>, vocabSize, true);
}

/** @throws DataError unless the label is a class, or −100 */
export function checkClassLabel(who: string, { labels }: Example, index: number, { numLabels }: Limits): void {
  const bound = numLabels ?? Number.MAX_SAFE_INTEGER;
  if (typeof labels === 'number' && isValid(labels, bound, true)) return;
  throw new DataError(
    `${who}: example ${index}: labels must be a class: expected ${describeRange(numLabels)}, ` +
      `got ${typeof labels === 'object' ? `a list of ${labels.length}; for a label a token use causalLmCollator` : String(labels)}`,
  );
}

function checkRange(what: string, values: ArrayLike<number>, count: number | undefined, ignorable: boolean): void {
  const bound = count ?? 2 ** 31;
  for (let i = 0; i < values.length; i++) {
    const value = values[i]!;
    if (isValid(value, bound, ignorable)) continue;
    const also = ignorable ? `, or ${IGNORE_INDEX} for a token that is not trained` : '';
    throw new DataError(`${what} must be ${describeRange(count)}${also}, got ${value} at ${i}`);
  }
}

function isValid(value: number, bound: number, ignorable: boolean): boolean {
  return (Number.isInteger(value) && value >= 0 && value < bound) || (ignorable && value === IGNORE_INDEX);
}

function describeRange(count: number | undefined): string {
  return count === undefined ? 'whole numbers of 0 or more' : `whole numbers from 0 to ${count - 1}`;
}

function lengthOf(value: unknown): number | null {
  if (typeof value !== 'object' || value === null || !('length' in value)) return null;
  return typeof value.length === 'number' ? value.length : null;
}
