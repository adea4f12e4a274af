/**
 * Weights of 4 bits as bitsandbytes stores them: two codes a byte, the first in the high nibble, and one scale for each
 * block of the flattened tensor. NF4 are quantiles of the normal distribution (Dettmers et al. 2023,
 * https://arxiv.org/abs/2305.14314, appendix E); FP4 is a sign, two bits of exponent and one of fraction.
 */
import { interleaveHigh16, interleaveHigh8, interleaveLow16, interleaveLow8 } from './interleave';

export const NF4: i32 = 0;
export const FP4: i32 = 1;

/** A weight, as src/cpu/quantization.ts lays it out: 32-bit words in this order. */
@unmanaged
export class FourBitWeight {
  type: i32;
  packed: usize;
  size: u32;
  blockSize: u32;
  absmax: usize; // or 0, and the scales are stored as 8-bit codes:
  absmaxCodes: usize;
  nestedAbsmax: usize;
  nestedCode: usize;
  nestedOffset: f32;
  nestedBlockSize: u32;
}

/** The number of each code. */
const NF4_VALUES = memory.data<f32>([
  -1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453,
  -0.28444138169288635, -0.18477343022823334, -0.09105003625154495, 0.0,
  0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
  0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0,
]);
const FP4_VALUES = memory.data<f32>([
  0.0, 0.005208333333333333, 0.6666666666666666, 1.0, 0.3333333333333333, 0.5, 0.16666666666666666, 0.25,
  0.0, -0.005208333333333333, -0.6666666666666666, -1.0, -0.3333333333333333, -0.5, -0.16666666666666666, -0.25,
]);

export function codeValues(type: i32): usize {
  return type == NF4 ? NF4_VALUES : FP4_VALUES;
}

/** The scale of block `j`: in float32, a product and then a sum where it is itself quantized. */
export function blockScale(weight: FourBitWeight, j: u32): f32 {
  if (weight.absmax) return load<f32>(weight.absmax + (<usize>j << 2));
  const code = load<u8>(weight.absmaxCodes + j);
  const nested = load<f32>(weight.nestedAbsmax + (<usize>(j / weight.nestedBlockSize) << 2));
  return load<f32>(weight.nestedCode + (<usize>code << 2)) * nested + weight.nestedOffset;
}

/**
 * Writes the numbers `start .. start + count` of the flattened weight to `y`.
 *
 * A float32 is looked up a byte at a time: plane b holds byte b of all sixteen numbers.
 */
export function decodeFourBit(weight: FourBitWeight, start: u32, count: u32, y: usize): void {
  const values = codeValues(weight.type);
  const plane0 = plane(values, 0);
  const plane1 = plane(values, 8);
  const plane2 = plane(values, 16);
  const plane3 = plane(values, 24);
  while (count > 0) {
    const block = start / weight.blockSize;
    const run = min(count, (block + 1) * weight.blockSize - start);
    const scale = blockScale(weight, block);
    const stop = start + run;
    if (start & 1) {
      store<f32>(y, valueAt(values, weight.packed, start++) * scale);
      y += 4;
    }
    for (; start + 16 <= stop; start += 16) {
      decodeSixteen(plane0, plane1, plane2, plane3, weight.packed + (start >> 1), f32x4.splat(scale), y);
      y += 64;
    }
    for (; start < stop; start++) {
      store<f32>(y, valueAt(values, weight.packed, start) * scale);
      y += 4;
    }
    count -= run;
  }
}

/** Byte `shift / 8` of each of sixteen float32. */
// @ts-ignore: decorator
@inline
function plane(values: usize, shift: i32): v128 {
  const byte = i32x4.splat(255);
  const first = v128.and(i32x4.shr_u(v128.load(values), shift), byte);
  const second = v128.and(i32x4.shr_u(v128.load(values, 16), shift), byte);
  const third = v128.and(i32x4.shr_u(v128.load(values, 32), shift), byte);
  const fourth = v128.and(i32x4.shr_u(v128.load(values, 48), shift), byte);
  return i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_u(first, second), i16x8.narrow_i32x4_u(third, fourth));
}

// @ts-ignore: decorator
@inline
function valueAt(values: usize, packed: usize, i: u32): f32 {
  const byte = load<u8>(packed + (i >> 1));
  const code = i & 1 ? byte & 15 : byte >> 4;
  return load<f32>(values + (<usize>code << 2));
}

/** Sixteen numbers from eight bytes; the bytes of each are put together again by interleaving. */
// @ts-ignore: decorator
@inline
function decodeSixteen(
  plane0: v128, plane1: v128, plane2: v128, plane3: v128, packed: usize, scales: v128, y: usize,
): void {
  const low = i8x16.splat(15);
  const bytes = v128.load64_zero(packed);
  const high = v128.and(i16x8.shr_u(bytes, 4), low);
  const codes = interleaveLow8(high, v128.and(bytes, low));
  const bytes0 = i8x16.swizzle(plane0, codes);
  const bytes1 = i8x16.swizzle(plane1, codes);
  const bytes2 = i8x16.swizzle(plane2, codes);
  const bytes3 = i8x16.swizzle(plane3, codes);
  let even = interleaveLow8(bytes0, bytes1);
  let odd = interleaveLow8(bytes2, bytes3);
  v128.store(y, f32x4.mul(interleaveLow16(even, odd), scales));
  v128.store(y, f32x4.mul(interleaveHigh16(even, odd), scales), 16);
  even = interleaveHigh8(bytes0, bytes1);
  odd = interleaveHigh8(bytes2, bytes3);
  v128.store(y, f32x4.mul(interleaveLow16(even, odd), scales), 32);
  v128.store(y, f32x4.mul(interleaveHigh16(even, odd), scales), 48);
}
