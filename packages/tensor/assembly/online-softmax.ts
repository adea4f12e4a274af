/**
 * Softmax of a row that comes in pieces, and of what it weighs (Milakov and Gimelshein 2018,
 * https://arxiv.org/abs/1805.02867). For each row, `state` holds the largest score so far and the sum of exp(score −
 * largest); `out`, of `size` numbers, what was summed with these weights.
 */
import { exp4, expNonPositive4, sumLanes4 } from './math';
import { emptyRow, logOf, rowMax, scaleRow } from './softmax';

/** Bytes of a row's state. */
export const STATE_BYTES: usize = 8;

/** A row that has seen nothing. */
export function beginSoftmax(out: usize, size: i32, state: usize): void {
  memory.fill(out, 0, <usize>size << 2);
  store<f32>(state, -Infinity);
  store<f32>(state, 0, 4);
}

/**
 * A piece of a row, `columns` scores (a multiple of four), becomes exp(score − largest so far); what was summed with a
 * smaller one shrinks. While all scores were −∞, weights are 0.
 */
export function softmaxPiece(row: usize, columns: i32, out: usize, size: i32, state: usize): void {
  const before = load<f32>(state);
  const largest = max(before, rowMax(row, columns));
  if (largest == -Infinity) {
    emptyRow(row, row, columns, 0.0);
    store<f32>(state, load<f32>(state, 4) + load<f32>(row), 4); // NaN where a score was
    return;
  }
  const end = <usize>columns << 2;
  const shift = f32x4.splat(largest);
  let sums = f32x4.splat(0);
  for (let j: usize = 0; j < end; j += 16) {
    const p = expNonPositive4(f32x4.sub(v128.load(row + j), shift));
    v128.store(row + j, p);
    sums = f32x4.add(sums, p);
  }
  // before the first score there is nothing to shrink
  const shrink = before == largest || before == -Infinity ? <f32>1 : expOne(before - largest);
  store<f32>(state, largest);
  store<f32>(state, load<f32>(state, 4) * shrink + sumLanes4(sums), 4);
  if (shrink != 1) scaleRow(out, size, shrink);
}

/** Divides by the sum and returns the logarithm of Σ exp(score); a row of only −∞ is zeros, and −∞. */
export function finishSoftmax(out: usize, size: i32, state: usize): f32 {
  const sum = load<f32>(state, 4);
  if (sum != 0) scaleRow(out, size, 1 / sum);
  return load<f32>(state) + logOf(sum);
}

// @ts-ignore: decorator
@inline
function expOne(x: f32): f32 {
  return f32x4.extract_lane(exp4(f32x4.splat(x)), 0);
}
