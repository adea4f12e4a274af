import { fromStorage } from './movement.js';
import type { DType, Floats, Storage } from './types.js';

/** The fields of @burin/tensor's MatmulArguments. */
export interface MatmulArguments {
  a: Floats;
  b: Storage;
  bDtype: DType;
  y: Floats; // [batch, m, n]
  bias: Floats | null; // [n]
  batch: number;
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
  aStride: number;
  bStride: number;
  alpha: number;
  accumulate: boolean;
}

/** `y[z] = alpha · op(a[z]) · op(b[z]) (+ bias) (+ y[z])` for z in 0 .. batch. */
export function matmul(args: MatmulArguments): void {
  const { a, b, bDtype, y, bias, batch, m, n, k, transposeA, transposeB, aStride, bStride, alpha, accumulate } = args;
  for (let z = 0; z < batch; z++) {
    for (let row = 0; row < m; row++) {
      for (let col = 0; col < n; col++) {
        let sum = 0;
        for (let p = 0; p < k; p++) {
          const left = a[z * aStride + (transposeA ? p * m + row : row * k + p)]!;
          const right = b[z * bStride + (transposeB ? col * k + p : p * n + col)]!;
          sum += left * fromStorage(bDtype, right);
        }
        const i = (z * m + row) * n + col;
        y[i] = alpha * sum + (bias ? bias[col]! : 0) + (accumulate ? y[i]! : 0);
      }
    }
  }
}
