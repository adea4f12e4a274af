/**
 * Random numbers from philox.ts, in groups of sixteen elements (four counters): groups begin .. end of `size` elements.
 * What element i gets depends on i and the stream alone.
 */
import { storePart4, loadPart4 } from './lanes';
import { all4, log4, madd4 } from './math';
import { philox4x32, philoxWide, philoxWide0, philoxWide1, philoxWide2, philoxWide3, unit4 } from './philox';
import { sinTurn4 } from './trigonometry';

const GROUP: usize = 16;

/** Stores the lanes that lie before `size`. */
// @ts-ignore: decorator
@inline
function put(y: usize, i: usize, size: usize, value: v128): void {
  if (i < size) storePart4(y + (i << 2), value, size - i);
}

export function uniform(
  y: usize, size: usize, low: f32, range: f32,
  seedLow: u32, seedHigh: u32, offsetLow: u32, offsetHigh: u32, begin: usize, end: usize,
): void {
  const base = all4(low);
  const scale = all4(range);
  for (let group = begin; group < end; group++) {
    philoxWide(seedLow, seedHigh, offsetLow, offsetHigh, u64(group) * 4);
    const i = group * GROUP;
    put(y, i, size, madd4(unit4(philoxWide0), scale, base));
    put(y, i + 4, size, madd4(unit4(philoxWide1), scale, base));
    put(y, i + 8, size, madd4(unit4(philoxWide2), scale, base));
    put(y, i + 12, size, madd4(unit4(philoxWide3), scale, base));
  }
}

export function normal(
  y: usize, size: usize, mean: f32, std: f32,
  seedLow: u32, seedHigh: u32, offsetLow: u32, offsetHigh: u32, begin: usize, end: usize,
): void {
  for (let group = begin; group < end; group++) {
    philoxWide(seedLow, seedHigh, offsetLow, offsetHigh, u64(group) * 4);
    const i = group * GROUP;
    normalEight(y, i, size, philoxWide0, philoxWide1, mean, std);
    normalEight(y, i + 8, size, philoxWide2, philoxWide3, mean, std);
  }
}

/** Box–Muller on the pairs of two vectors of words. */
// @ts-ignore: decorator
@inline
function normalEight(y: usize, i: usize, size: usize, a: v128, b: v128, mean: f32, std: f32): void {
  const radius = radius4(unit4(v128.shuffle<u32>(a, b, 0, 2, 4, 6)));
  const turn = unit4(v128.shuffle<u32>(a, b, 1, 3, 5, 7));
  const cosine = madd4(f32x4.mul(radius, sinTurn4(turn, 1)), all4(std), all4(mean));
  const sine = madd4(f32x4.mul(radius, sinTurn4(turn, 0)), all4(std), all4(mean));
  put(y, i, size, v128.shuffle<u32>(cosine, sine, 0, 4, 1, 5));
  put(y, i + 4, size, v128.shuffle<u32>(cosine, sine, 2, 6, 3, 7));
}

/**
 * `√(−2 ln(u + 2⁻²⁵))`. Near 1 the sum does not fit a float32; what rounding took from it, exact itself, goes into the
 * logarithm to first order. Without that the radius would be off by 2e-4 there.
 */
// @ts-ignore: decorator
@inline
function radius4(u: v128): v128 {
  const step = all4(2.98023223876953125e-8);
  const sum = f32x4.add(u, step);
  const lost = f32x4.add(f32x4.sub(u, sum), step);
  const logarithm = f32x4.add(log4(sum), f32x4.div(lost, sum));
  return f32x4.sqrt(f32x4.mul(logarithm, all4(-2.0)));
}

/** `y = u < p ? 0 : x · scale`, u < p tested exactly: `word >> 8` below `threshold` = ceil(p · 2²⁴). */
export function dropout(
  x: usize, y: usize, size: usize, threshold: i32, scale: f32,
  seedLow: u32, seedHigh: u32, offsetLow: u32, offsetHigh: u32, begin: usize, end: usize,
): void {
  const limit = i32x4.splat(threshold);
  const factor = all4(scale);
  for (let group = begin; group < end; group++) {
    philoxWide(seedLow, seedHigh, offsetLow, offsetHigh, u64(group) * 4);
    const i = group * GROUP;
    keep(x, y, i, size, philoxWide0, limit, factor);
    keep(x, y, i + 4, size, philoxWide1, limit, factor);
    keep(x, y, i + 8, size, philoxWide2, limit, factor);
    keep(x, y, i + 12, size, philoxWide3, limit, factor);
  }
}

// @ts-ignore: decorator
@inline
function keep(x: usize, y: usize, i: usize, size: usize, words: v128, limit: v128, factor: v128): void {
  if (i >= size) return;
  const dropped = i32x4.lt_s(i32x4.shr_u(words, 8), limit);
  const scaled = f32x4.mul(loadPart4(x + (i << 2), size - i), factor);
  storePart4(y + (i << 2), v128.andnot(scaled, dropped), size - i);
}

/** The four words of one counter under one key, for the known answers of Random123. */
export function philoxWords(y: usize, k0: u32, k1: u32, c0: u32, c1: u32, c2: u32, c3: u32): void {
  v128.store(y, philox4x32(k0, k1, c0, c1, c2, c3));
}
