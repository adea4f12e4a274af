import { DataError } from '../errors.js';
import { type Dataset, exampleAt } from './example.js';
import { type Collator, countTokens, countTrained, type HostBatch } from './host-batch.js';

/** A batch with its numbers of labels that count and of tokens. */
export interface CountedBatch {
  readonly batch: HostBatch;
  readonly trained: number;
  readonly tokens: number;
  readonly indices: readonly number[];
}

/** The batches of one optimizer step; the labels that count in all of them, and the tokens. */
export interface Window {
  readonly batches: readonly CountedBatch[];
  readonly trained: number;
  readonly tokens: number;
}

/** Collates the examples at `indices`. */
export function collate<E>(dataset: Dataset<E>, collator: Collator<E>, indices: readonly number[]): CountedBatch {
  const batch = collator(
    indices.map((index) => exampleAt(dataset, index)),
    indices,
  );
  return { batch, trained: countTrained(batch), tokens: countTokens(batch), indices };
}

/** Optimizer steps of an epoch: the last window may be short, and the last batch of it. */
export function windowsPerEpoch(examples: number, batchSize: number, accumulation: number): number {
  return Math.ceil(Math.ceil(examples / batchSize) / accumulation);
}

/**
 * The window at place `at` of an epoch's order.
 *
 * @throws DataError if no label counts in the whole window: there is nothing to divide its loss by
 */
export function windowAt<E>(
  dataset: Dataset<E>,
  collator: Collator<E>,
  order: Int32Array,
  at: number,
  { batchSize, accumulation }: { batchSize: number; accumulation: number },
): Window {
  const batches: CountedBatch[] = [];
  for (let k = 0; k < accumulation; k++) {
    const start = (at * accumulation + k) * batchSize;
    const indices = Array.from(order.subarray(start, start + batchSize));
    if (indices.length > 0) batches.push(collate(dataset, collator, indices));
  }
  const trained = batches.reduce((sum, batch) => sum + batch.trained, 0);
  if (trained === 0) {
    const examples = batches
      .flatMap(({ indices }) => indices)
      .slice(0, 8)
      .join(', ');
    throw new DataError(
      `Trainer: an optimizer step must train a token at least: expected a label that is not -100 in examples ${examples}, ` +
        'got none; remove the examples that train nothing, or make batches larger',
    );
  }
  return { batches, trained, tokens: batches.reduce((sum, { tokens }) => sum + tokens, 0) };
}
