import type { Floats } from './types.js';

export type ReduceOp = 'sum' | 'sumAbs' | 'sumSquares' | 'max' | 'min' | 'maxAbs';

const REDUCE: Record<ReduceOp, { start: number; join: (so: number, x: number) => number }> = {
  sum: { start: 0, join: (so, x) => so + x },
  sumAbs: { start: 0, join: (so, x) => so + Math.abs(x) },
  sumSquares: { start: 0, join: (so, x) => so + x * x },
  max: { start: -Infinity, join: Math.max }, // Math.max passes NaN on
  min: { start: Infinity, join: Math.min },
  maxAbs: { start: 0, join: (so, x) => Math.max(so, Math.abs(x)) },
};

/** Reduces the middle axis of `[outer, length, inner]` to `[outer, inner]`. */
export function reduce(op: ReduceOp, x: Floats, y: Floats, outer: number, length: number, inner: number): void {
  const { start, join } = REDUCE[op];
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      let so = start;
      for (let l = 0; l < length; l++) so = join(so, x[(o * length + l) * inner + i]!);
      y[o * inner + i] = so;
    }
  }
}

/**
 * Gradient of `max`, `min`, `maxAbs`: `g` shared evenly among the elements that equal `y` (times sign(x) for maxAbs).
 */
export function reduceExtremumBackward(
  op: 'max' | 'min' | 'maxAbs',
  x: Floats,
  y: Floats,
  g: Floats,
  dx: Floats,
  outer: number,
  length: number,
  inner: number,
): void {
  for (let o = 0; o < outer; o++) {
    for (let i = 0; i < inner; i++) {
      const at = (l: number) => (o * length + l) * inner + i;
      const isExtremum = (l: number) => (op === 'maxAbs' ? Math.abs(x[at(l)]!) : x[at(l)]!) === y[o * inner + i]!;
      let count = 0;
      for (let l = 0; l < length; l++) if (isExtremum(l)) count++;
      for (let l = 0; l < length; l++) {
        const sign = op === 'maxAbs' ? Math.sign(x[at(l)]!) : 1;
        dx[at(l)] = isExtremum(l) ? (sign * g[o * inner + i]!) / count : 0;
      }
    }
  }
}

/** Index of the first largest element of each row of `[rows, cols]`; NaN counts as largest. */
export function argmax(x: Floats, y: Int32Array, rows: number, cols: number): void {
  const isLarger = (a: number, b: number) => a > b || (Number.isNaN(a) && !Number.isNaN(b));
  for (let row = 0; row < rows; row++) {
    let best = 0;
    for (let c = 1; c < cols; c++) if (isLarger(x[row * cols + c]!, x[row * cols + best]!)) best = c;
    y[row] = best;
  }
}

/** `y[0] = Σ x²`, added to what is there if `accumulate`. */
export function sumSquares(x: Floats, y: Floats, size: number, accumulate: boolean): void {
  let sum = accumulate ? y[0]! : 0;
  for (let i = 0; i < size; i++) sum += x[i]! * x[i]!;
  y[0] = sum;
}

/** `y[0]` = how many of x are NaN or infinite, added to what is there if `accumulate`. */
export function countNonFinite(x: Floats, y: Int32Array, size: number, accumulate: boolean): void {
  let count = accumulate ? y[0]! : 0;
  for (let i = 0; i < size; i++) if (!Number.isFinite(x[i]!)) count++;
  y[0] = count;
}
