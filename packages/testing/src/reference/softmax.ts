import type { Floats } from './types.js';

/**
 * Over rows of `cols`: `y = exp(x − max) / Σ exp(x − max)`, or its logarithm. −∞ gives 0; a row of only −∞ gives 0
 * (log: −∞); NaN or +∞ makes its row NaN. y may be x.
 */
export function softmax(x: Floats, y: Floats, rows: number, cols: number, log: boolean): void {
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    const lse = logSumExp(x, start, cols);
    for (let c = 0; c < cols; c++) {
      const logarithm = lse === -Infinity ? -Infinity : x[start + c]! - lse;
      y[start + c] = log ? logarithm : Math.exp(logarithm);
    }
  }
}

/** softmax: `dx = y · (g − Σ g·y)`; log: `dx = g − exp(y) · Σ g`. dx may be g. */
export function softmaxBackward(y: Floats, g: Floats, dx: Floats, rows: number, cols: number, log: boolean): void {
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    let sum = 0; // Σ g · y, or Σ g
    for (let c = 0; c < cols; c++) sum += g[start + c]! * (log ? 1 : y[start + c]!);
    for (let c = 0; c < cols; c++) {
      const i = start + c;
      dx[i] = log ? g[i]! - Math.exp(y[i]!) * sum : y[i]! * (g[i]! - sum);
    }
  }
}

/** `log Σ exp(x)` of `cols` elements from `start`; −∞ where all are −∞ or there are none, NaN where one is NaN or +∞. */
export function logSumExp(x: Floats, start: number, cols: number): number {
  let max = -Infinity;
  for (let c = 0; c < cols; c++) max = Math.max(max, x[start + c]!);
  if (max === -Infinity) return -Infinity;
  let sum = 0;
  for (let c = 0; c < cols; c++) sum += Math.exp(x[start + c]! - max);
  return max + Math.log(sum);
}
