import { Generator, randperm } from '@burin/tensor';

/** Where in the generator's stream the orders begin: far from what a model with the same seed draws for its weights. */
const FIRST_OFFSET = 2 ** 50;

/** Batches that are sorted by length at a time, Hugging Face's number. */
const MEGABATCH = 50;

/**
 * The order of examples in an epoch. It depends on nothing but the seed and the epoch, so that the place in the data is
 * two numbers: the epoch, and how much of it is done.
 */
export async function epochOrder(count: number, seed: number, epoch: number): Promise<Int32Array> {
  const blocks = Math.ceil(count / 4); // the generator counts blocks of four numbers
  return randperm(count, new Generator(seed, FIRST_OFFSET + epoch * blocks));
}

/** Sorts runs of 50 batches by length, longest first: batches hold examples of like length, and are still random. */
export function groupByLength(order: Int32Array, lengths: ArrayLike<number>, batchSize: number): Int32Array {
  const grouped = order.slice();
  const run = batchSize * MEGABATCH;
  for (let start = 0; start < grouped.length; start += run) {
    grouped.subarray(start, start + run).sort((a, b) => lengths[b]! - lengths[a]! || a - b);
  }
  return grouped;
}
