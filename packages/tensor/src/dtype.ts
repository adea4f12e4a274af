/** How elements are stored. Compute is float32; float16 and bfloat16 are storage: kernels widen as they read. */
export type DType = 'float32' | 'float16' | 'bfloat16' | 'int32' | 'uint8';

/** Bytes of one element. */
export const BYTES: Readonly<Record<DType, number>> = {
  float32: 4,
  float16: 2,
  bfloat16: 2,
  int32: 4,
  uint8: 1,
};

export function isFloating(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16';
}
