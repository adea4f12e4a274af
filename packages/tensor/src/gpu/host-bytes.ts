import type { DType } from '../dtype.js';
import { DtypeError } from '../errors.js';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './half.js';

/** Whole numbers up to here are exact in a float32. */
const EXACT = 2 ** 24;

/**
 * Host bytes of `dtype` as the floats that the GPU keeps, one an element.
 *
 * @throws DtypeError if an int32 is beyond 2^24, where a float32 no longer holds every whole number
 */
export function floatsOf(dtype: DType, bytes: Uint8Array): Float32Array {
  // a copy where they are not aligned; not by slice, for that of a Node Buffer is no copy
  const { buffer, byteOffset: start } = bytes.byteOffset % 4 === 0 ? bytes : new Uint8Array(bytes);
  switch (dtype) {
    case 'float32':
      return new Float32Array(buffer, start, bytes.byteLength / 4);
    case 'int32':
      return Float32Array.from(checkIntegers(new Int32Array(buffer, start, bytes.byteLength / 4)));
    case 'uint8':
      return Float32Array.from(bytes);
    case 'float16':
      return fromFloat16(new Uint16Array(buffer, start, bytes.byteLength / 2));
    case 'bfloat16':
      return fromBfloat16(new Uint16Array(buffer, start, bytes.byteLength / 2));
  }
}

/** The host bytes of `dtype` for floats of the GPU. */
export function bytesOf(dtype: DType, values: Float32Array): Uint8Array {
  if (dtype === 'uint8') return Uint8Array.from(values);
  const array = narrowed(dtype, values);
  return new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
}

function narrowed(dtype: Exclude<DType, 'uint8'>, values: Float32Array): Float32Array | Int32Array | Uint16Array {
  if (dtype === 'float32') return values;
  if (dtype === 'int32') return Int32Array.from(values, (value) => Math.min(Math.max(value, -(2 ** 31)), 2 ** 31 - 1));
  return dtype === 'float16' ? toFloat16(values) : toBfloat16(values);
}

/** The bytes of floats that hold three each. */
export function bytesOfTriples(values: Float32Array, byteLength: number): Uint8Array {
  const bytes = new Uint8Array(byteLength);
  for (let i = 0; i < byteLength; i++) bytes[i] = values[Math.floor(i / 3)]! >> (8 * (i % 3));
  return bytes;
}

function checkIntegers(values: Int32Array): Int32Array {
  const at = values.findIndex((value) => Math.abs(value) > EXACT);
  if (at < 0) return values;
  throw new DtypeError(
    `gpu: int32 is kept as float32 on the GPU and must be within ${EXACT} of 0, got ${values[at]} at ${at}; keep it on the CPU`,
  );
}

/** The number that `dtype` stores for `value`, as kernels/movement.ts says of cast. */
export function roundedHere(dtype: DType, value: number): number {
  switch (dtype) {
    case 'float32':
      return value;
    case 'float16':
      return nearestHalf(value, 11, -14, 65504);
    case 'bfloat16':
      return nearestHalf(value, 8, -126, 3.3895313892515355e38);
    case 'int32':
      return Number.isNaN(value) ? 0 : Math.trunc(Math.min(Math.max(value, -(2 ** 31)), 2 ** 31 - 1));
    case 'uint8':
      return Number.isNaN(value) ? 0 : Math.trunc(Math.min(Math.max(value, 0), 255));
  }
}

function nearestHalf(value: number, bits: number, lowestExponent: number, largest: number): number {
  const x = Math.fround(value);
  if (!Number.isFinite(x) || x === 0) return x;
  const unit = 2 ** (Math.max(Math.floor(Math.log2(Math.abs(x))), lowestExponent) - (bits - 1));
  const [scaled, low] = [x / unit, Math.floor(x / unit)];
  const up = scaled - low > 0.5 || (scaled - low === 0.5 && low % 2 !== 0);
  const y = (up ? low + 1 : low) * unit;
  return Math.abs(y) > largest ? Math.sign(y) * Number.POSITIVE_INFINITY : y;
}
