/**
 * What an input can give to a product with 4-bit codes: one number for each of the sixteen codes, in fixed point, cut into
 * planes of bytes. A byte shuffle then looks up one plane of sixteen products at once, and sums of bytes are exact.
 *
 *     round(x · value[code] / step) + 2²³ = Σ plane_p[code] · 64^p      p < 4, planes of 6 bits
 *
 * The step is the largest |x| of 64 inputs over 2²³: a product is off by at most half of it, as one of float32 numbers with
 * 24 bits is. Bytes hold the sum of four planes' entries, so four inputs are added before anything must be widened.
 */
import { codeValues } from './four-bit';
import { largestMagnitude } from './quantize';

/** Inputs that share a step. */
export const CHUNK: usize = 64;
/** Planes of an input. */
const INPUT_BYTES: usize = 64;
export const CHUNK_BYTES: usize = CHUNK * INPUT_BYTES;
/** What each entry is raised by, so that none is negative. */
export const BIAS: i32 = 1 << 23;
/** Below 2²³ by more than what rounding may add. */
const LARGEST: f32 = 8388600;
/** With smaller inputs their step's reciprocal would not be a number. */
const SMALLEST: f32 = 1e-30;

/** Bytes of the tables of `k` inputs, a multiple of CHUNK, and of the steps behind them, in whole vectors. */
export function tablesBytes(k: usize): usize {
  return (k / CHUNK) * (CHUNK_BYTES + 16);
}

/** The step of a chunk. 0: its inputs are all 0. NaN: it has no tables, as its inputs are not finite, or are tiny. */
// @ts-ignore: decorator
@inline
export function stepAt(tables: usize, k: usize, chunk: usize): f32 {
  return load<f32>(tables + (k / CHUNK) * CHUNK_BYTES + (chunk << 2));
}

/** Makes the tables of the chunks `begin .. end` of the inputs x [k]. */
export function fillTables(type: i32, x: usize, k: usize, tables: usize, begin: usize, end: usize): void {
  const values = codeValues(type);
  const steps = tables + (k / CHUNK) * CHUNK_BYTES;
  for (; begin < end; begin++) {
    const inputs = x + ((begin * CHUNK) << 2);
    const largest = largestMagnitude(inputs, CHUNK);
    const hasTables = largest >= SMALLEST && largest < Infinity; // a NaN is neither
    store<f32>(steps + (begin << 2), hasTables ? largest / LARGEST : largest == 0 ? 0 : NaN);
    if (hasTables) fillChunk(values, inputs, LARGEST / largest, tables + begin * CHUNK_BYTES);
  }
}

function fillChunk(values: usize, x: usize, scale: f32, table: usize): void {
  const values0 = v128.load(values);
  const values1 = v128.load(values, 16);
  const values2 = v128.load(values, 32);
  const values3 = v128.load(values, 48);
  for (const end = table + CHUNK_BYTES; table < end; table += INPUT_BYTES) {
    const input = f32x4.splat(load<f32>(x) * scale);
    storePlanes(
      fixed(values0, input), fixed(values1, input), fixed(values2, input), fixed(values3, input), table,
    );
    x += 4;
  }
}

// @ts-ignore: decorator
@inline
function fixed(values: v128, input: v128): v128 {
  const product = f32x4.nearest(f32x4.mul(values, input));
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.add(i32x4.relaxed_trunc_f32x4_s(product), i32x4.splat(BIAS));
  return i32x4.add(i32x4.trunc_sat_f32x4_s(product), i32x4.splat(BIAS));
}

/** Sixteen numbers of 24 bits, four in each vector, become four planes of 6 bits. */
// @ts-ignore: decorator
@inline
function storePlanes(a: v128, b: v128, c: v128, d: v128, table: usize): void {
  const bytesA = bytesTogether(a);
  const bytesB = bytesTogether(b);
  const bytesC = bytesTogether(c);
  const bytesD = bytesTogether(d);
  const abLow = v128.shuffle<i32>(bytesA, bytesB, 0, 4, 1, 5);
  const cdLow = v128.shuffle<i32>(bytesC, bytesD, 0, 4, 1, 5);
  const abHigh = v128.shuffle<i32>(bytesA, bytesB, 2, 6, 3, 7);
  const cdHigh = v128.shuffle<i32>(bytesC, bytesD, 2, 6, 3, 7);
  const byte0 = v128.shuffle<i64>(abLow, cdLow, 0, 2);
  const byte1 = v128.shuffle<i64>(abLow, cdLow, 1, 3);
  const byte2 = v128.shuffle<i64>(abHigh, cdHigh, 0, 2);
  v128.store(table, bits(byte0, 63));
  v128.store(table, v128.or(bits(i16x8.shr_u(byte0, 6), 3), bits(i16x8.shl(byte1, 2), 60)), 16);
  v128.store(table, v128.or(bits(i16x8.shr_u(byte1, 4), 15), bits(i16x8.shl(byte2, 4), 48)), 32);
  v128.store(table, bits(i16x8.shr_u(byte2, 2), 63), 48);
}

/** The first bytes of four numbers, then their second ones, and so on. */
// @ts-ignore: decorator
@inline
function bytesTogether(x: v128): v128 {
  return v128.shuffle<i8>(x, x, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

/** Of each byte the bits of `mask`. */
// @ts-ignore: decorator
@inline
function bits(x: v128, mask: i8): v128 {
  return v128.and(x, i8x16.splat(mask));
}
