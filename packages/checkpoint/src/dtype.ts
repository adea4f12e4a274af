import { CheckpointError, shown } from './errors.js';

/**
 * Bits of one element of each dtype that the format knows. The order is the one in which the reference implementation
 * sorts tensors (`enum Dtype` in safetensors/src/tensor.rs), from the least aligned to the most: files list them backwards.
 */
const BITS = {
  BOOL: 8,
  F4: 4,
  F6_E2M3: 6,
  F6_E3M2: 6,
  U8: 8,
  I8: 8,
  F8_E5M2: 8,
  F8_E4M3: 8,
  F8_E8M0: 8,
  F8_E4M3FNUZ: 8,
  F8_E5M2FNUZ: 8,
  I16: 16,
  U16: 16,
  F16: 16,
  BF16: 16,
  I32: 32,
  U32: 32,
  F32: 32,
  C64: 64,
  F64: 64,
  I64: 64,
  U64: 64,
} as const;

/** A dtype as safetensors spells it. All can be read and written as bytes; see `toFloat32` and `toInt32` for numbers. */
export type SafetensorsDtype = keyof typeof BITS;

const ORDER = new Map(Object.keys(BITS).map((dtype, rank) => [dtype, rank]));

/** Place of a dtype in the order of the reference: the greater comes first in a file. */
export function dtypeRank(dtype: SafetensorsDtype): number {
  return ORDER.get(dtype) ?? -1;
}

/** Throws unless `dtype` is one that the format knows. `who` is the file and tensor to blame. */
export function checkDtype(who: string, dtype: unknown): asserts dtype is SafetensorsDtype {
  if (typeof dtype === 'string' && Object.hasOwn(BITS, dtype)) return;
  throw new CheckpointError(
    `${who}: dtype must be one that safetensors knows: expected one of ${[...ORDER.keys()].reverse().join(', ')}, ` +
      `got ${shown(dtype)}`,
  );
}

/** Throws unless `shape` is an array of whole numbers of 0 or more. `who` is the file and tensor to blame. */
export function checkShape(who: string, shape: unknown): asserts shape is readonly number[] {
  if (Array.isArray(shape) && shape.every(isCount)) return;
  throw new CheckpointError(
    `${who}: shape must be an array of whole numbers: expected each from 0 to ${Number.MAX_SAFE_INTEGER}, ` +
      `got ${shown(shape)}`,
  );
}

/** Whether `value` is a whole number from 0 to 2⁵³ − 1. -0 is not: the reference refuses it as well. */
export function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0 && !Object.is(value, -0);
}

/**
 * Bytes that a tensor takes in a file.
 *
 * @param dtype - a dtype of the format
 * @param shape - any number of axes; `[]` is a scalar, an axis of 0 makes the tensor empty
 * @throws CheckpointError if the dtype is unknown, the shape is not of whole numbers, the product exceeds 2⁵³ − 1,
 *   or a dtype of less than 8 bits does not fill its last byte
 * @example
 * tensorByteLength('BF16', [3, 5]); // 30
 */
export function tensorByteLength(dtype: SafetensorsDtype, shape: readonly number[]): number {
  checkDtype('tensorByteLength', dtype);
  checkShape('tensorByteLength', shape);
  return countBytes('tensorByteLength', dtype, shape);
}

/** `tensorByteLength` of a dtype and shape that were checked, blaming `who`. */
export function countBytes(who: string, dtype: SafetensorsDtype, shape: readonly number[]): number {
  let bits: number = BITS[dtype];
  for (const size of shape) bits = multiply(who, bits, size, dtype, shape);
  if (bits % 8 !== 0) {
    throw new CheckpointError(
      `${who}: a tensor must end at a whole byte: expected a multiple of 8 bits, got ${bits} (${dtype} [${shape}])`,
    );
  }
  return bits / 8;
}

function multiply(who: string, bits: number, size: number, dtype: string, shape: readonly number[]): number {
  const product = bits * size;
  if (Number.isSafeInteger(product)) return product;
  throw new CheckpointError(
    `${who}: shape times element size overflows: expected at most ${Number.MAX_SAFE_INTEGER} bits, ` +
      `got ${dtype} ${shown(shape)}`,
  );
}
