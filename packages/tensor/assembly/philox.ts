/**
 * Philox 4x32-10 (Salmon et al. 2011, https://doi.org/10.1145/2063384.2063405), word for word as Random123 computes it.
 * The key is the seed; the counter of block i is (offset + i as 64 bits, 0, 0); a block is four 32-bit words.
 */

const MULTIPLIER_0: u64 = 0xd2511f53;
const MULTIPLIER_1: u64 = 0xcd9e8d57;
const WEYL_0: u32 = 0x9e3779b9; // golden ratio
const WEYL_1: u32 = 0xbb67ae85; // √3 − 1
const ROUNDS = 10;

/** The four words of the counter (c0, c1, c2, c3) under the key (k0, k1), word 0 in lane 0. */
export function philox4x32(k0: u32, k1: u32, c0: u32, c1: u32, c2: u32, c3: u32): v128 {
  for (let round = 0; round < ROUNDS; round++) {
    const product0 = MULTIPLIER_0 * u64(c0);
    const product1 = MULTIPLIER_1 * u64(c2);
    c0 = u32(product1 >> 32) ^ c1 ^ k0;
    c2 = u32(product0 >> 32) ^ c3 ^ k1;
    c1 = u32(product1);
    c3 = u32(product0);
    k0 += WEYL_0;
    k1 += WEYL_1;
  }
  return i32x4.replace_lane(i32x4.replace_lane(i32x4.replace_lane(i32x4.splat(c0), 1, c1), 2, c2), 3, c3);
}

/** Words 4 · block .. 4 · block + 3 of the stream. */
// @ts-ignore: decorator
@inline
export function philoxBlock(seedLow: u32, seedHigh: u32, offsetLow: u32, offsetHigh: u32, block: u64): v128 {
  const counter = ((u64(offsetHigh) << 32) | u64(offsetLow)) + block;
  return philox4x32(seedLow, seedHigh, u32(counter), u32(counter >> 32), 0, 0);
}

/** Word `index` of the stream: word `index mod 4` of block `floor(index / 4)`. */
export function philoxWord(seedLow: u32, seedHigh: u32, offsetLow: u32, offsetHigh: u32, index: u64): u32 {
  const words = philoxBlock(seedLow, seedHigh, offsetLow, offsetHigh, index >> 2);
  const lane = u32(index) & 3;
  if (lane == 0) return i32x4.extract_lane(words, 0);
  if (lane == 1) return i32x4.extract_lane(words, 1);
  if (lane == 2) return i32x4.extract_lane(words, 2);
  return i32x4.extract_lane(words, 3);
}

/** Words to numbers: `u = floor(word / 2⁸) · 2⁻²⁴`, in [0, 1), exact. */
// @ts-ignore: decorator
@inline
export function unit4(words: v128): v128 {
  return f32x4.mul(f32x4.convert_i32x4_s(i32x4.shr_u(words, 8)), f32x4.splat(5.9604644775390625e-8));
}

/** `u` of one word. */
// @ts-ignore: decorator
@inline
export function unit(word: u32): f32 {
  return f32(i32(word >> 8)) * 5.9604644775390625e-8;
}

/** Blocks `block` .. `block + 3` at once: sixteen words in the order of the stream, in `philoxWide0` .. `philoxWide3`. */
export function philoxWide(seedLow: u32, seedHigh: u32, offsetLow: u32, offsetHigh: u32, block: u64): void {
  const first = ((u64(offsetHigh) << 32) | u64(offsetLow)) + block;
  const low01 = i64x2.add(i64x2.splat(first), i64x2(0, 1));
  const low23 = i64x2.add(i64x2.splat(first), i64x2(2, 3));
  let c0 = v128.shuffle<u32>(low01, low23, 0, 2, 4, 6);
  let c1 = v128.shuffle<u32>(low01, low23, 1, 3, 5, 7);
  let c2 = i32x4.splat(0);
  let c3 = i32x4.splat(0);
  let k0 = i32x4.splat(seedLow);
  let k1 = i32x4.splat(seedHigh);
  const m0 = i32x4.splat(u32(MULTIPLIER_0));
  const m1 = i32x4.splat(u32(MULTIPLIER_1));
  for (let round = 0; round < ROUNDS; round++) {
    const low0 = i64x2.extmul_low_i32x4_u(c0, m0);
    const high0 = i64x2.extmul_high_i32x4_u(c0, m0);
    const low1 = i64x2.extmul_low_i32x4_u(c2, m1);
    const high1 = i64x2.extmul_high_i32x4_u(c2, m1);
    c0 = v128.xor(v128.xor(v128.shuffle<u32>(low1, high1, 1, 3, 5, 7), c1), k0);
    c2 = v128.xor(v128.xor(v128.shuffle<u32>(low0, high0, 1, 3, 5, 7), c3), k1);
    c1 = v128.shuffle<u32>(low1, high1, 0, 2, 4, 6);
    c3 = v128.shuffle<u32>(low0, high0, 0, 2, 4, 6);
    k0 = i32x4.add(k0, i32x4.splat(WEYL_0));
    k1 = i32x4.add(k1, i32x4.splat(WEYL_1));
  }
  // columns to rows: block j is lane j of each
  const even0 = v128.shuffle<u32>(c0, c1, 0, 4, 1, 5);
  const odd0 = v128.shuffle<u32>(c0, c1, 2, 6, 3, 7);
  const even1 = v128.shuffle<u32>(c2, c3, 0, 4, 1, 5);
  const odd1 = v128.shuffle<u32>(c2, c3, 2, 6, 3, 7);
  philoxWide0 = v128.shuffle<u64>(even0, even1, 0, 2);
  philoxWide1 = v128.shuffle<u64>(even0, even1, 1, 3);
  philoxWide2 = v128.shuffle<u64>(odd0, odd1, 0, 2);
  philoxWide3 = v128.shuffle<u64>(odd0, odd1, 1, 3);
}

/** The result of `philoxWide`. Globals belong to one instance, so threads that share the memory do not share these. */
export let philoxWide0: v128 = i32x4.splat(0);
export let philoxWide1: v128 = i32x4.splat(0);
export let philoxWide2: v128 = i32x4.splat(0);
export let philoxWide3: v128 = i32x4.splat(0);
