import { FourBitWeight } from './four-bit';

/**
 * The arguments of a matrix product, as src/cpu/matmul.ts lays them out: 32-bit words in this order. A FourBitWeight
 * follows where bType is FOUR_BIT; b itself is then not used.
 */
@unmanaged
export class MatmulCall {
  a: usize;
  b: usize;
  bType: i32;
  y: usize;
  bias: usize;
  batch: i32;
  m: i32;
  n: i32;
  k: i32;
  transposeA: i32;
  transposeB: i32;
  aStride: usize; // elements
  bStride: usize;
  alpha: f32;
  accumulate: i32;
}

/** How the numbers of b are stored. */
export const FLOAT32: i32 = 0;
export const FLOAT16: i32 = 1;
export const BFLOAT16: i32 = 2;
export const FOUR_BIT: i32 = 3;

// @ts-ignore: decorator
@inline
export function fourBitWeight(call: MatmulCall): FourBitWeight {
  return changetype<FourBitWeight>(changetype<usize>(call) + offsetof<MatmulCall>());
}

/** Elements from one stored row of b to the next. */
// @ts-ignore: decorator
@inline
export function storedColumns(call: MatmulCall): i32 {
  return call.transposeB ? call.k : call.n;
}
