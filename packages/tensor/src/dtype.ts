import { DtypeError } from './errors.js';

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

/** @throws DtypeError if `dtype` is none of those that there are */
export function checkDtype(dtype: DType, who: string, remedy = ''): void {
  if (Object.hasOwn(BYTES, dtype)) return;
  throw new DtypeError(`${who}: expected one of ${Object.keys(BYTES).join(', ')}, got ${String(dtype)}${remedy}`);
}

/**
 * Checks that ids, labels or positions are int32.
 *
 * @param what - put before the message, such as `crossEntropy: labels`
 * @throws DtypeError that says what converts them
 */
export function checkInt32(what: string, { dtype }: { readonly dtype: DType }): void {
  if (dtype !== 'int32') throw new DtypeError(`${what} must be int32, got ${dtype}; convert them with .to('int32')`);
}

/** Whether elements are float32, float16 or bfloat16: only these have gradients. */
export function isFloating(dtype: DType): boolean {
  return dtype === 'float32' || dtype === 'float16' || dtype === 'bfloat16';
}
