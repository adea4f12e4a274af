import { checkOptions } from '@burin/tensor';
import { checkClassLabel, checkInputIds, checkTokenLabels, type Limits } from './checks.js';
import type { Example } from './example.js';
import { type Collator, type HostTensor, IGNORE_INDEX, type TextBatch } from './host-batch.js';

/** How examples become a batch. */
export interface CollatorOptions extends Limits {
  /** What padding is filled with; it is masked, so any id will do. Default 0. */
  padTokenId?: number;
  /** Longer examples are cut at their end. Default: none is cut. */
  maxLength?: number;
}

/**
 * Batches for causal language models: `inputIds`, `attentionMask` and `labels`, each `[B, T]`, padded at the end.
 *
 * Labels are the example's, or else its tokens. The label of padding is −100 because of where it is: a padding id that is
 * also the end of a text keeps its label inside the text. The first token's label is −100, since nothing predicts it.
 *
 * @throws DataError from the collator, naming the example: no tokens, an id or label out of range, labels of another length
 * @example
 * causalLmCollator({ padTokenId: 2 })([{ inputIds: [5, 6, 2] }, { inputIds: [7, 2] }], [0, 1]).inputs.labels.data;
 * // [-100, 6, 2, -100, 2, -100]
 */
export function causalLmCollator(options: CollatorOptions = {}): Collator<Example, TextBatch> {
  checkCollator('causalLmCollator', options);
  return (examples, indices) => {
    for (const [i, example] of examples.entries()) {
      checkInputIds('causalLmCollator', example, indices[i] ?? i, options);
      checkTokenLabels('causalLmCollator', example, indices[i] ?? i, options);
    }
    const length = paddedLength(examples, options);
    const labels = padded(examples, length, IGNORE_INDEX, tokenLabels);
    for (let row = 0; row < examples.length; row++) labels.data[row * length] = IGNORE_INDEX;
    return { inputs: { ...tokenInputs(examples, length, options), labels }, labelShift: 1 };
  };
}

/**
 * Batches for classifiers of whole texts: `inputIds` and `attentionMask` `[B, T]`, padded at the end, and `labels` `[B]`.
 *
 * @throws DataError from the collator, naming the example: no tokens, an id or a class out of range
 */
export function classificationCollator(options: CollatorOptions = {}): Collator<Example, TextBatch> {
  checkCollator('classificationCollator', options);
  return (examples, indices) => {
    for (const [i, example] of examples.entries()) {
      checkInputIds('classificationCollator', example, indices[i] ?? i, options);
      checkClassLabel('classificationCollator', example, indices[i] ?? i, options);
    }
    const labels = { data: Int32Array.from(examples, (example) => example.labels as number), shape: [examples.length] };
    return { inputs: { ...tokenInputs(examples, paddedLength(examples, options), options), labels } };
  };
}

/** The label of token t as an example gives it: its own, or else the token itself where it is not masked. */
export function tokenLabels({ inputIds, labels, attentionMask }: Example, t: number): number {
  if (typeof labels === 'object') return labels[t]!;
  return attentionMask?.[t] === 0 ? IGNORE_INDEX : inputIds[t]!;
}

/** @throws RangeError for an option that there is not, or a length that is none */
export function checkCollator(who: string, options: CollatorOptions, more: readonly string[] = []): void {
  checkOptions(who, options, ['padTokenId', 'maxLength', 'vocabSize', 'numLabels', ...more]);
  checkMaxLength(who, options.maxLength);
}

export function checkMaxLength(who: string, maxLength: number | undefined, name = 'maxLength'): void {
  if (maxLength === undefined || (Number.isInteger(maxLength) && maxLength >= 1)) return;
  throw new RangeError(`${who}: ${name} must be a whole number of 1 or more, got ${maxLength}`);
}

/** T: the longest example's tokens, `maxLength` at most. */
export function paddedLength(
  examples: readonly Pick<Example, 'inputIds'>[],
  { maxLength = Number.POSITIVE_INFINITY }: { maxLength?: number | undefined },
): number {
  return Math.min(maxLength, Math.max(...examples.map(({ inputIds }) => inputIds.length)));
}

/** `inputIds` and `attentionMask`, `[B, length]`. */
export function tokenInputs(examples: readonly Example[], length: number, { padTokenId = 0 }: CollatorOptions) {
  const mask = padded(examples, length, 0, ({ attentionMask }, t) => attentionMask?.[t] ?? 1);
  return {
    inputIds: padded(examples, length, padTokenId, ({ inputIds }, t) => inputIds[t]!),
    attentionMask: { data: Uint8Array.from(mask.data), shape: mask.shape }, // attention's masks are uint8
  };
}

/** `[B, length]` of `valueAt` where an example has a token, and `padding` after its end. */
export function padded(
  examples: readonly Example[],
  length: number,
  padding: number,
  valueAt: (example: Example, t: number) => number,
): HostTensor & { data: Int32Array } {
  const data = new Int32Array(examples.length * length).fill(padding);
  for (const [row, example] of examples.entries()) {
    const end = Math.min(length, example.inputIds.length);
    for (let t = 0; t < end; t++) data[row * length + t] = valueAt(example, t);
  }
  return { data, shape: [examples.length, length] };
}
