/**
 * Block-wise quantization to 4 and 8 bits, with the float32 arithmetic of bitsandbytes' PyTorch path, so that the
 * codes are the same to the bit: x times the reciprocal of its block's largest magnitude, or divided by it in a last
 * block that is shorter; then the number of bounds below, bounds being the float32 midpoints of neighbouring codes. A
 * number on a bound goes to the lower code.
 *
 * Where the largest magnitude is less than 1e-38, whose reciprocal is not finite in float32, x is divided by it;
 * bitsandbytes takes 1e-38 instead. A block of zeros gets the code of 0 and the scale 0.
 */
import { codeValues, decodeFourBit, FourBitWeight, FP4 } from './four-bit';
import { maxLanes4 } from './math';

const SMALLEST_RECIPROCAL: f32 = 1e-38;

/** Codes in the order of their numbers. FP4 has two zeros: small positive numbers get the second, code 8. */
const NF4_ORDER = memory.data<u8>([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
const FP4_ORDER = memory.data<u8>([11, 10, 13, 12, 15, 14, 9, 0, 8, 1, 6, 7, 4, 5, 2, 3]);

/** Bytes of scratch for `quantize4bit`: the fifteen bounds. */
export function quantize4bitScratch(): usize {
  return 64;
}

/** Quantizes the blocks `begin .. end`. Blocks of an odd size share bytes: ask for all of them at once. */
export function quantize4bit(
  type: i32, x: usize, packed: usize, absmax: usize, size: u32, blockSize: u32, begin: u32, end: u32, bounds: usize,
): void {
  const order = type == FP4 ? FP4_ORDER : NF4_ORDER;
  const values = codeValues(type);
  for (let i: u32 = 0; i < 15; i++) {
    store<f32>(bounds + (i << 2), (ordered(values, order, i) + ordered(values, order, i + 1)) / 2);
  }
  for (let block = begin; block < end; block++) {
    const start = block * blockSize;
    const count = min(blockSize, size - start);
    const largest = largestMagnitude(x + (<usize>start << 2), count);
    store<f32>(absmax + (<usize>block << 2), largest);
    const factor = reciprocal(largest, count < blockSize);
    encodeBlock(x + (<usize>start << 2), packed, start, count, largest, factor, bounds, v128.load(order));
  }
  // the partner of an odd last element is the code of 0
  if (size & 1 && end * blockSize >= size) setNibble(packed, size, fourBitCode(0, bounds, v128.load(order)));
}

// @ts-ignore: decorator
@inline
function ordered(values: usize, order: usize, i: u32): f32 {
  return load<f32>(values + (<usize>load<u8>(order + i) << 2));
}

/** The largest |x| of `count` numbers, NaN if one is. */
export function largestMagnitude(x: usize, count: u32): f32 {
  let largest = f32x4.splat(0);
  for (; count >= 4; count -= 4) {
    largest = f32x4.max(largest, f32x4.abs(v128.load(x)));
    x += 16;
  }
  for (; count > 0; count--) {
    largest = f32x4.max(largest, f32x4.abs(v128.load32_splat(x)));
    x += 4;
  }
  return maxLanes4(largest);
}

/** What x of a block is multiplied by, or 0 where it is to be divided by the largest magnitude. */
// @ts-ignore: decorator
@inline
function reciprocal(largest: f32, isPartial: bool): f32 {
  return isPartial || largest < SMALLEST_RECIPROCAL ? 0 : 1 / largest;
}

/** x of a block, scaled to -1 .. 1. */
// @ts-ignore: decorator
@inline
function scaled(x: v128, largest: f32, factor: f32): v128 {
  if (largest == 0) return f32x4.splat(0);
  const ratio = factor != 0 ? f32x4.mul(x, f32x4.splat(factor)) : f32x4.div(x, f32x4.splat(largest));
  return f32x4.max(f32x4.min(ratio, f32x4.splat(1)), f32x4.splat(-1));
}

function encodeBlock(
  x: usize, packed: usize, start: u32, count: u32, largest: f32, factor: f32, bounds: usize, order: v128,
): void {
  let i: u32 = 0;
  if ((start & 1) == 0) {
    for (; i + 16 <= count; i += 16) {
      const at = x + (<usize>i << 2);
      const first = i16x8.narrow_i32x4_s(
        boundsBelow(scaled(v128.load(at), largest, factor), bounds),
        boundsBelow(scaled(v128.load(at, 16), largest, factor), bounds),
      );
      const second = i16x8.narrow_i32x4_s(
        boundsBelow(scaled(v128.load(at, 32), largest, factor), bounds),
        boundsBelow(scaled(v128.load(at, 48), largest, factor), bounds),
      );
      const codes = i8x16.swizzle(order, i8x16.narrow_i16x8_u(first, second));
      // of each pair of bytes the first becomes the high nibble
      const pairs = v128.or(i16x8.shl(v128.and(codes, i16x8.splat(255)), 4), i16x8.shr_u(codes, 8));
      v128.store_lane<i64>(packed + ((start + i) >> 1), i8x16.narrow_i16x8_u(pairs, pairs), 0);
    }
  }
  for (; i < count; i++) {
    const value = f32x4.extract_lane(scaled(v128.load32_splat(x + (<usize>i << 2)), largest, factor), 0);
    setNibble(packed, start + i, fourBitCode(value, bounds, order));
  }
}

/** How many of the fifteen bounds are below each lane. */
// @ts-ignore: decorator
@inline
function boundsBelow(x: v128, bounds: usize): v128 {
  let count = i32x4.splat(0);
  for (let at: usize = 0; at < 60; at += 4) count = i32x4.sub(count, f32x4.lt(v128.load32_splat(bounds + at), x));
  return count;
}

function fourBitCode(value: f32, bounds: usize, order: v128): u32 {
  const codes = i8x16.swizzle(order, boundsBelow(f32x4.splat(value), bounds));
  return i8x16.extract_lane_u(codes, 0);
}

/** Even elements come first and clear the nibble of their partner. */
function setNibble(packed: usize, i: u32, code: u32): void {
  const at = packed + (i >> 1);
  store<u8>(at, i & 1 ? load<u8>(at) | code : code << 4);
}

/** Writes the blocks `begin .. end` of a weight, counted from block `first` on, as float32; y is where that one goes. */
export function dequantize4bit(weight: FourBitWeight, y: usize, first: u32, begin: u32, end: u32): void {
  const start = (first + begin) * weight.blockSize;
  const stop = min(weight.size, (first + end) * weight.blockSize);
  if (start < stop) decodeFourBit(weight, start, stop - start, y + ((<usize>begin * <usize>weight.blockSize) << 2));
}

/** Bytes of scratch for `quantize8bit`: the 255 bounds. */
export function quantize8bitScratch(): usize {
  return 1024;
}

/** Quantizes the blocks `begin .. end` to the nearest of 256 numbers in rising order. */
export function quantize8bit(
  x: usize, code: usize, codes: usize, absmax: usize, size: u32, blockSize: u32, begin: u32, end: u32, bounds: usize,
): void {
  for (let at: usize = 0; at < 1020; at += 4) {
    store<f32>(bounds + at, (load<f32>(code + at) + load<f32>(code + at, 4)) / 2);
  }
  for (let block = begin; block < end; block++) {
    const start = block * blockSize;
    const count = min(blockSize, size - start);
    const largest = largestMagnitude(x + (<usize>start << 2), count);
    const factor = reciprocal(largest, count < blockSize);
    store<f32>(absmax + (<usize>block << 2), largest);
    for (let i = start; i < start + count; i++) {
      const value = scaled(v128.load32_splat(x + (<usize>i << 2)), largest, factor);
      store<u8>(codes + i, eightBitCode(f32x4.extract_lane(value, 0), bounds));
    }
  }
}

/** How many of the 255 bounds are below `value`, by halving. */
// @ts-ignore: decorator
@inline
function eightBitCode(value: f32, bounds: usize): u32 {
  let low = halve(0, 128, value, bounds);
  low = halve(low, 64, value, bounds);
  low = halve(low, 32, value, bounds);
  low = halve(low, 16, value, bounds);
  low = halve(low, 8, value, bounds);
  low = halve(low, 4, value, bounds);
  low = halve(low, 2, value, bounds);
  return halve(low, 1, value, bounds);
}

/** Without a branch, which would be guessed wrong half of the time. */
// @ts-ignore: decorator
@inline
function halve(low: u32, step: u32, value: f32, bounds: usize): u32 {
  const isBelow = load<f32>(bounds + (<usize>(low + step - 1) << 2)) < value;
  return low + (u32(isBelow) * step);
}

/** `y = code[codes] · absmax + offset` for the blocks `begin .. end`. */
export function dequantize8bit(
  codes: usize, code: usize, absmax: usize, y: usize, size: u32, blockSize: u32, offset: f32, begin: u32, end: u32,
): void {
  for (let block = begin; block < end; block++) {
    const scale = load<f32>(absmax + (<usize>block << 2));
    const stop = min(size, (block + 1) * blockSize);
    for (let i = block * blockSize; i < stop; i++) {
      const value = load<f32>(code + (<usize>load<u8>(codes + i) << 2));
      store<f32>(y + (<usize>i << 2), value * scale + offset);
    }
  }
}
