/**
 * RMSNorm over rows of `cols`.
 *
 *   rstd = 1 / sqrt(mean(x²) + eps)      y = x · rstd · weight
 *   dx = rstd · (g·w − x · rstd² · mean(g·w·x))      dweight = Σrows g · x · rstd
 */
import { loadPart4, storePart4, weightPart4 } from './lanes';
import { all4, madd4, nmadd4 } from './math';
import { SumSquares } from './reduce-ops';
import { weightedDot } from './row-moments';
import { sumOf } from './sums';

/** Rows begin .. end; weight 0 means 1. */
export function rmsNorm(
  x: usize, weight: usize, y: usize, rstd: usize, cols: usize, eps: f64, begin: usize, end: usize,
): void {
  for (let row = begin; row < end; row++) {
    const start = (row * cols) << 2;
    const scale = f32(1.0 / sqrt(sumOf<SumSquares>(x + start, cols) / f64(cols) + eps));
    store<f32>(rstd + (row << 2), scale);
    const scales = all4(scale);
    for (let i: usize = 0; i < cols; i += 4) {
      const at = i << 2;
      const scaled = f32x4.mul(loadPart4(x + start + at, cols - i), scales);
      storePart4(y + start + at, f32x4.mul(scaled, weightPart4(weight, at, cols - i)), cols - i);
    }
  }
}

/** Rows that share one partial sum of dweight: fixed, so that the result does not depend on who does which. */
export const CHUNK_ROWS: usize = 64;

/** Chunks of 64 rows begin .. end. Each writes its part of dweight to row `chunk` of `partial`, unless that is 0. */
export function rmsNormBackward(
  x: usize, weight: usize, rstd: usize, g: usize, dx: usize, partial: usize,
  rows: usize, cols: usize, begin: usize, end: usize,
): void {
  for (let chunk = begin; chunk < end; chunk++) {
    const sums = partial ? partial + ((chunk * cols) << 2) : 0;
    if (sums) memory.fill(sums, 0, cols << 2);
    const stop = min<usize>(rows, (chunk + 1) * CHUNK_ROWS);
    for (let row = chunk * CHUNK_ROWS; row < stop; row++) {
      const start = (row * cols) << 2;
      rowBackward(x + start, weight, load<f32>(rstd + (row << 2)), g + start, dx + start, sums, cols);
    }
  }
}

function rowBackward(x: usize, weight: usize, rstd: f32, g: usize, dx: usize, sums: usize, cols: usize): void {
  const scale = f64(rstd);
  const pull = all4(f32((scale * scale * weightedDot(g, weight, x, cols, 0.0)) / f64(cols)));
  const scales = all4(rstd);
  for (let i: usize = 0; i < cols; i += 4) {
    const at = i << 2;
    const left = cols - i;
    const value = loadPart4(x + at, left);
    const upstream = loadPart4(g + at, left);
    const scaled = f32x4.mul(upstream, weightPart4(weight, at, left));
    storePart4(dx + at, f32x4.mul(scales, nmadd4(value, pull, scaled)), left);
    if (sums) {
      storePart4(sums + at, madd4(f32x4.mul(upstream, value), scales, loadPart4(sums + at, left)), left);
    }
  }
}
