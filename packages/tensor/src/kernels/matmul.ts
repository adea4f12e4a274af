import type { DeviceBuffer } from '../device.js';
import type { DType } from '../dtype.js';

/**
 * `y[z] = alpha · op(a[z]) · op(b[z]) (+ bias) (+ y[z])` for z in 0 .. batch.
 *
 * op(a) is m × k: stored [m, k], or [k, m] if `transposeA`. op(b) is k × n: stored [k, n], or [n, k] if `transposeB`.
 */
export interface MatmulArguments {
  a: DeviceBuffer; // float32
  b: DeviceBuffer;
  bDtype: DType; // float32, float16 or bfloat16: widened while panels are packed
  y: DeviceBuffer; // [batch, m, n] float32
  bias: DeviceBuffer | null; // [n] float32
  batch: number;
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
  aStride: number; // elements from one a to the next; 0 shares it
  bStride: number;
  alpha: number;
  accumulate: boolean; // add to y instead of overwriting it
}

/** Products of matrices. */
export interface MatmulKernels {
  matmul(args: MatmulArguments): void;
}
