import type { DeviceBuffer } from '../device.js';

/** What kernels reduce rows to. */
export type ReduceOp = 'sum' | 'sumAbs' | 'sumSquares' | 'max' | 'min' | 'maxAbs';

/** Sums and other reductions. */
export interface ReductionKernels {
  /**
   * Reduces the middle axis of `[outer, length, inner]` to `[outer, inner]`. Sums run in several float32 lanes, blocks
   * of at most 1024 before they are joined, so the error does not grow with length. max, min, maxAbs pass NaN on.
   */
  reduce(op: ReduceOp, x: DeviceBuffer, y: DeviceBuffer, outer: number, length: number, inner: number): void;

  /**
   * Gradient of `max`, `min`, `maxAbs`: `dx = g` shared evenly among the elements that equal `y`
   * (times sign(x) for maxAbs), 0 elsewhere. PyTorch's amax.
   */
  reduceExtremumBackward(
    op: 'max' | 'min' | 'maxAbs',
    x: DeviceBuffer,
    y: DeviceBuffer,
    g: DeviceBuffer,
    dx: DeviceBuffer,
    outer: number,
    length: number,
    inner: number,
  ): void;

  /** Index (int32) of the first largest element of each row of `[rows, cols]`; NaN counts as largest. */
  argmax(x: DeviceBuffer, y: DeviceBuffer, rows: number, cols: number): void;

  /** `y[0] = Σ x²` in float32 (wider inside), added to what is there if `accumulate`. For norms over many tensors. */
  sumSquares(x: DeviceBuffer, y: DeviceBuffer, size: number, accumulate: boolean): void;

  /** `y[0]` (int32) = how many of x are NaN or infinite, added to what is there if `accumulate`. */
  countNonFinite(x: DeviceBuffer, y: DeviceBuffer, size: number, accumulate: boolean): void;

  /**
   * Over rows of `cols`: `y = exp(x − max) / Σ exp(x − max)`, or its logarithm. −∞ gives 0; a row of only −∞ gives 0
   * (log: −∞); NaN or +∞ makes its row NaN. y may be x.
   */
  softmax(x: DeviceBuffer, y: DeviceBuffer, rows: number, cols: number, log: boolean): void;

  /** softmax: `dx = y · (g − Σ g·y)`; log: `dx = g − exp(y) · Σ g`. dx may be g. */
  softmaxBackward(y: DeviceBuffer, g: DeviceBuffer, dx: DeviceBuffer, rows: number, cols: number, log: boolean): void;
}
