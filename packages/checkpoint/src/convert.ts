import { CheckpointError, shown } from './errors.js';
import type { OwnBytes, OwnFloats, OwnIntegers } from './own-arrays.js';

// Files are little-endian, and so is every machine that runs WebAssembly's memory natively: typed arrays fit as they are.

/** Dtypes that `toFloat32` and `fromFloat32` know. */
export type FloatDtype = 'F32' | 'F16' | 'BF16';

/** Dtypes that `toInt32` knows. */
export type IntegerDtype = 'I64' | 'I32' | 'I16' | 'I8' | 'U8' | 'BOOL';

const INFINITY_BITS = 0x7f800000; // float32: the exponent is full
const TWO_TO_112 = 2 ** 112; // between the exponent biases of float32 and float16, 127 - 15

/**
 * Widens stored numbers to float32. Exact: every float16 and bfloat16 is a float32. NaN stays NaN.
 *
 * @param bytes - little-endian, any alignment
 * @returns a new array, `bytes.length` divided by the element size long
 * @throws CheckpointError if `dtype` is another, or `bytes` does not hold a whole number of elements
 * @example
 * toFloat32(new Uint8Array([0xc0, 0x3f]), 'BF16'); // Float32Array [1.5]
 */
export function toFloat32(bytes: Uint8Array, dtype: FloatDtype): OwnFloats {
  if (dtype === 'F32') return new Float32Array(aligned('toFloat32', bytes, 4));
  if (dtype === 'F16') return widenFloat16(new Uint16Array(aligned('toFloat32', bytes, 2)));
  if (dtype === 'BF16') return widenBfloat16(new Uint16Array(aligned('toFloat32', bytes, 2)));
  throw new CheckpointError(`toFloat32: dtype must be a float: expected F32, F16 or BF16, got ${shown(dtype)}`);
}

/**
 * Stores float32 numbers as `dtype`, rounded to the nearest, ties to even. Too large becomes Infinity, NaN stays NaN.
 *
 * @returns new bytes, little-endian
 * @throws CheckpointError if `dtype` is another
 * @example
 * fromFloat32(new Float32Array([1.5]), 'BF16'); // Uint8Array [0xc0, 0x3f]
 */
export function fromFloat32(array: Float32Array, dtype: FloatDtype): OwnBytes {
  const copy = new Float32Array(array);
  if (dtype === 'F32') return new Uint8Array(copy.buffer);
  const bits = new Uint32Array(copy.buffer);
  if (dtype === 'F16') return narrow(bits, float16Bits);
  if (dtype === 'BF16') return narrow(bits, bfloat16Bits);
  throw new CheckpointError(`fromFloat32: dtype must be a float: expected F32, F16 or BF16, got ${shown(dtype)}`);
}

/**
 * Stored whole numbers as int32. BOOL gives 0 and 1.
 *
 * @param bytes - little-endian, any alignment
 * @returns a new array
 * @throws CheckpointError if a number does not fit 32 bits, `dtype` is another, or `bytes` does not hold a whole number
 *   of elements
 * @example
 * toInt32(new Uint8Array([7, 0, 0, 0, 0, 0, 0, 0]), 'I64'); // Int32Array [7]
 */
export function toInt32(bytes: Uint8Array, dtype: IntegerDtype): OwnIntegers {
  switch (dtype) {
    case 'I64':
      return narrowInt64(new Int32Array(aligned('toInt32', bytes, 8)));
    case 'I32':
      return new Int32Array(aligned('toInt32', bytes, 4));
    case 'I16':
      return Int32Array.from(new Int16Array(aligned('toInt32', bytes, 2)));
    case 'I8':
      return Int32Array.from(new Int8Array(aligned('toInt32', bytes, 1)));
    case 'U8':
      return Int32Array.from(bytes);
    case 'BOOL':
      return Int32Array.from(bytes, (byte) => (byte === 0 ? 0 : 1));
    default:
      throw new CheckpointError(
        `toInt32: dtype must be of whole numbers: expected I64, I32, I16, I8, U8 or BOOL, got ${shown(dtype)}`,
      );
  }
}

/** A copy of `bytes` in a buffer of its own, where any typed array may lie. */
function aligned(who: string, bytes: Uint8Array, elementSize: number): ArrayBuffer {
  if (bytes.length % elementSize !== 0) {
    throw new CheckpointError(
      `${who}: bytes must hold whole elements: expected a multiple of ${elementSize} bytes, got ${bytes.length}`,
    );
  }
  return new Uint8Array(bytes).buffer;
}

function widenFloat16(halves: Uint16Array): OwnFloats {
  const floats = new Float32Array(halves.length);
  const bits = new Uint32Array(floats.buffer);
  for (let i = 0; i < halves.length; i++) {
    const half = halves[i]!;
    bits[i] = (half & 0x7fff) << 13; // the value times 2^-112, also where it is subnormal
    if ((half & 0x7c00) === 0x7c00) bits[i]! |= INFINITY_BITS;
    else floats[i]! *= TWO_TO_112;
    bits[i]! |= (half & 0x8000) << 16;
  }
  return floats;
}

function widenBfloat16(halves: Uint16Array): OwnFloats {
  const bits = new Uint32Array(halves.length);
  for (let i = 0; i < halves.length; i++) bits[i] = halves[i]! << 16;
  return new Float32Array(bits.buffer);
}

function narrow(bits: Uint32Array, toHalf: (bits: number) => number): OwnBytes {
  const halves = new Uint16Array(bits.length);
  for (let i = 0; i < bits.length; i++) halves[i] = toHalf(bits[i]!); // ten times faster than Uint16Array.from
  return new Uint8Array(halves.buffer);
}

/** The float16 nearest to the float32 with these bits, ties to even. */
function float16Bits(bits: number): number {
  const sign = (bits >>> 16) & 0x8000;
  const size = bits & 0x7fffffff;
  if (size > INFINITY_BITS) return sign | 0x7e00 | ((size >>> 13) & 0x03ff); // NaN, made quiet
  if (size >= 0x477ff000) return sign | 0x7c00; // 65520, halfway from the largest to the next, and above
  if (size < 0x38800000) return sign | float16Subnormal(size);
  return sign | ((size - (112 << 23) + 0x0fff + ((size >>> 13) & 1)) >>> 13);
}

/** The same below 2^-14, where float16 counts in steps of 2^-24. */
function float16Subnormal(size: number): number {
  const exponent = size >>> 23;
  if (exponent < 102) return 0; // below 2^-25, half a step
  const mantissa = (size & 0x7fffff) | 0x800000;
  const drop = 126 - exponent; // 14 ... 24 bits
  const kept = mantissa >>> drop;
  const rest = mantissa & ((1 << drop) - 1);
  const half = 1 << (drop - 1);
  return rest > half || (rest === half && (kept & 1) === 1) ? kept + 1 : kept;
}

/** The bfloat16 nearest to the float32 with these bits, ties to even. */
function bfloat16Bits(bits: number): number {
  if ((bits & 0x7fffffff) > INFINITY_BITS) return (bits >>> 16) | 0x0040; // NaN, made quiet
  return (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16;
}

/** @param words - low and high half of each number in turn */
function narrowInt64(words: Int32Array): OwnIntegers {
  const numbers = new Int32Array(words.length / 2);
  for (let i = 0; i < numbers.length; i++) {
    const low = words[2 * i]!;
    const high = words[2 * i + 1]!;
    if (high !== low >> 31) {
      const value = (BigInt(high) << 32n) | BigInt(low >>> 0);
      throw new CheckpointError(
        `toInt32: numbers must fit 32 bits: expected -2147483648 to 2147483647, got ${value} at element ${i}`,
      );
    }
    numbers[i] = low;
  }
  return numbers;
}
