/**
 * The product of one to five rows with a 4-bit weight stored [n, k], as in decoding. The weight is never decoded: each
 * input has sixteen products with its codes (lookup-tables.ts), and a byte shuffle finds those of sixteen rows of the
 * weight at once, whose codes lie together (code-tiles.ts). Of an input's 64 bytes of tables, four shuffles and six
 * additions and shifts make sixteen products.
 *
 * Sums of a chunk of 64 inputs are whole numbers, so nothing is rounded before the scale of its block is multiplied in.
 * Units are tiles of sixteen rows of the weight.
 */
import { TILE } from './code-tiles';
import { blockScale, codeValues, FourBitWeight } from './four-bit';
import { interleaveHigh16, interleaveLow16 } from './interleave';
import { BIAS, CHUNK, CHUNK_BYTES, stepAt, tablesBytes } from './lookup-tables';
import { FOUR_BIT, fourBitWeight, MatmulCall } from './matmul-call';

/** Rows of x, one after the other; to decode the weight once for all of them is as fast from six on. */
const MOST_ROWS: i32 = 5;
/** With fewer columns the tables are not worth making. */
const LEAST_COLUMNS: i32 = 128;
/** Bytes of a chunk's codes in a tile. */
const CODE_BYTES: usize = (CHUNK / 2) * TILE;

/** What the sums of plane 3 begin with: less than 0 by what BIAS adds to 64 entries, which is in no other plane. */
const PLANE_3_START: i16 = -<i16>((CHUNK * BIAS) >> 18);

// from memory, as a constant in code is put together anew at each use
/** What two planes weigh. */
const PAIR_WEIGHTS = memory.data<i16>([1, 64, 1, 64, 1, 64, 1, 64]);
/** A mask of the second code of each byte. */
const LOW_CODES = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15]);

/** The units of `lookUpProduct`. 0: the call is not for this file, but for few rows, whole tiles, and blocks of whole chunks. */
export function lookUpUnits(call: MatmulCall): i32 {
  if (call.bType != FOUR_BIT || !call.transposeB || call.n < LEAST_COLUMNS || call.n % TILE != 0) return 0;
  if (call.m > MOST_ROWS || (call.transposeA && call.m > 1) || call.k == 0) return 0;
  const weight = fourBitWeight(call);
  if (weight.blockSize % CHUNK != 0 || call.k % weight.blockSize != 0) return 0;
  // blocks of a row are its own, and found by shifts
  if (!isPowerOfTwo(weight.blockSize) || (weight.absmax == 0 && !isPowerOfTwo(weight.nestedBlockSize))) return 0;
  return call.n / <i32>TILE;
}

// @ts-ignore: decorator
@inline
function isPowerOfTwo(x: u32): bool {
  return popcnt<u32>(x) == 1;
}

/** Computes the units `begin .. end`. The codes are in tiles; the tables of row i of a lie at `tables + i · tablesBytes(k)`. */
export function lookUpProduct(call: MatmulCall, tables: usize, begin: i32, end: i32): void {
  for (let tile = <usize>begin; tile < <usize>end; tile++) {
    for (let i: usize = 0; i < <usize>call.m; i++) {
      const y = call.y + ((i * <usize>call.n + tile * TILE) << 2);
      startSums(call, tile * TILE, y);
      addTile(call, tile, call.a + ((i * <usize>call.k) << 2), tables + i * tablesBytes(call.k), y);
    }
  }
}

/** Writes what the sums of a tile's columns begin with: 0, the bias, what y holds, or both. */
function startSums(call: MatmulCall, column: usize, y: usize): void {
  for (let at: usize = 0; at < TILE << 2; at += 16) {
    let start = call.accumulate ? v128.load(y + at) : f32x4.splat(0);
    if (call.bias) start = f32x4.add(start, v128.load(call.bias + (column << 2) + at));
    v128.store(y + at, start);
  }
}

/** Adds the products of one row of x with a tile's sixteen rows to y. */
function addTile(call: MatmulCall, tile: usize, x: usize, tables: usize, y: usize): void {
  const weight = fourBitWeight(call);
  const k = <usize>call.k;
  const shift = ctz<u32>(weight.blockSize);
  const rowBlocks = k >> shift;
  let codes = weight.packed + ((tile * TILE * k) >> 1);
  for (let chunk: usize = 0; chunk < k / CHUNK; chunk++) {
    const block = tile * TILE * rowBlocks + ((chunk * CHUNK) >> shift);
    const step = stepAt(tables, k, chunk) * call.alpha;
    if (step == step) addChunk(weight, codes, tables + chunk * CHUNK_BYTES, block, rowBlocks, step, y);
    else addProducts(weight, codes, x + ((chunk * CHUNK) << 2), call.alpha, block, rowBlocks, y);
    codes += CODE_BYTES;
  }
}

/**
 * Adds a chunk by its tables. A byte of `four` holds the sum of four entries of a plane; of two neighbours, rows 2i and
 * 2i + 1, `odd` sums the second, and `both` both of them, modulo 2¹⁶.
 */
function addChunk(
  weight: FourBitWeight, codes: usize, tables: usize, block: usize, rowBlocks: usize, step: f32, y: usize,
): void {
  const low = v128.load(LOW_CODES);
  let both0 = i16x8.splat(0);
  let both1 = both0;
  let both2 = both0;
  let both3 = i16x8.splat(PLANE_3_START);
  let odd0 = both0;
  let odd1 = both0;
  let odd2 = both0;
  let odd3 = both3;
  for (const end = codes + CODE_BYTES; codes < end; codes += 32) {
    const bytes0 = v128.load(codes);
    const bytes1 = v128.load(codes, 16);
    const a = v128.and(i16x8.shr_u(bytes0, 4), low);
    const b = v128.and(bytes0, low);
    const c = v128.and(i16x8.shr_u(bytes1, 4), low);
    const d = v128.and(bytes1, low);
    const four0 = fourEntries(a, b, c, d, tables);
    both0 = i16x8.add(both0, four0);
    odd0 = i16x8.add(odd0, i16x8.shr_u(four0, 8));
    const four1 = fourEntries(a, b, c, d, tables + 16);
    both1 = i16x8.add(both1, four1);
    odd1 = i16x8.add(odd1, i16x8.shr_u(four1, 8));
    const four2 = fourEntries(a, b, c, d, tables + 32);
    both2 = i16x8.add(both2, four2);
    odd2 = i16x8.add(odd2, i16x8.shr_u(four2, 8));
    const four3 = fourEntries(a, b, c, d, tables + 48);
    both3 = i16x8.add(both3, four3);
    odd3 = i16x8.add(odd3, i16x8.shr_u(four3, 8));
    tables += 256;
  }
  const even0 = i16x8.sub(both0, i16x8.shl(odd0, 8));
  const even1 = i16x8.sub(both1, i16x8.shl(odd1, 8));
  const even2 = i16x8.sub(both2, i16x8.shl(odd2, 8));
  const even3 = i16x8.sub(both3, i16x8.shl(odd3, 8));
  const even = joinPlanes(interleaveLow16(even0, even1), interleaveLow16(even2, even3));
  const odd = joinPlanes(interleaveLow16(odd0, odd1), interleaveLow16(odd2, odd3));
  addScaled(weight, v128.shuffle<f32>(even, odd, 0, 4, 1, 5), block, rowBlocks, step, y);
  addScaled(weight, v128.shuffle<f32>(even, odd, 2, 6, 3, 7), block + 4 * rowBlocks, rowBlocks, step, y + 16);
  const evenHigh = joinPlanes(interleaveHigh16(even0, even1), interleaveHigh16(even2, even3));
  const oddHigh = joinPlanes(interleaveHigh16(odd0, odd1), interleaveHigh16(odd2, odd3));
  addScaled(weight, v128.shuffle<f32>(evenHigh, oddHigh, 0, 4, 1, 5), block + 8 * rowBlocks, rowBlocks, step, y + 32);
  addScaled(weight, v128.shuffle<f32>(evenHigh, oddHigh, 2, 6, 3, 7), block + 12 * rowBlocks, rowBlocks, step, y + 48);
}

/** One plane of four inputs, 64 bytes from one to the next. */
// @ts-ignore: decorator
@inline
function fourEntries(a: v128, b: v128, c: v128, d: v128, plane: usize): v128 {
  let sum = i8x16.add(lookUp(v128.load(plane), a), lookUp(v128.load(plane, 64), b));
  sum = i8x16.add(sum, lookUp(v128.load(plane, 128), c));
  return i8x16.add(sum, lookUp(v128.load(plane, 192), d));
}

// @ts-ignore: decorator
@inline
function lookUp(entries: v128, codes: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i8x16.relaxed_swizzle(entries, codes);
  return i8x16.swizzle(entries, codes);
}

/** From pairs of sums, of the planes 0 and 1 and of the planes 2 and 3, the sums of products in steps. */
// @ts-ignore: decorator
@inline
function joinPlanes(low: v128, high: v128): v128 {
  const weights = v128.load(PAIR_WEIGHTS);
  const sum = i32x4.add(i32x4.dot_i16x8_s(low, weights), i32x4.shl(i32x4.dot_i16x8_s(high, weights), 12));
  return f32x4.convert_i32x4_s(sum);
}

/** Adds the sums of four rows, whose blocks are `block` and every `rowBlocks`-th after it. */
// @ts-ignore: decorator
@inline
function addScaled(weight: FourBitWeight, sums: v128, block: usize, rowBlocks: usize, step: f32, y: usize): void {
  const scales = f32x4.mul(fourScales(weight, block, rowBlocks), f32x4.splat(step));
  v128.store(y, f32x4.add(v128.load(y), f32x4.mul(sums, scales)));
}

// @ts-ignore: decorator
@inline
function fourScales(weight: FourBitWeight, block: usize, rowBlocks: usize): v128 {
  const block1 = block + rowBlocks;
  const block2 = block1 + rowBlocks;
  const block3 = block2 + rowBlocks;
  if (weight.absmax) return fourNumbers(weight.absmax, block, block1, block2, block3);
  const codes = weight.absmaxCodes;
  const factors = fourNumbers(
    weight.nestedCode, load<u8>(codes + block), load<u8>(codes + block1), load<u8>(codes + block2), load<u8>(codes + block3),
  );
  const nested = ctz<u32>(weight.nestedBlockSize);
  const first = block >> nested;
  const last = block3 >> nested;
  const scales = first == last
    ? v128.load32_splat(weight.nestedAbsmax + (first << 2))
    : fourNumbers(weight.nestedAbsmax, first, block1 >> nested, block2 >> nested, last);
  return f32x4.add(f32x4.mul(factors, scales), f32x4.splat(weight.nestedOffset));
}

// @ts-ignore: decorator
@inline
function fourNumbers(table: usize, place0: usize, place1: usize, place2: usize, place3: usize): v128 {
  let numbers = v128.load32_zero(table + (place0 << 2));
  numbers = v128.load_lane<f32>(table + (place1 << 2), numbers, 1);
  numbers = v128.load_lane<f32>(table + (place2 << 2), numbers, 2);
  return v128.load_lane<f32>(table + (place3 << 2), numbers, 3);
}

/** Adds a chunk whose inputs fit no table, product by product. */
function addProducts(
  weight: FourBitWeight, codes: usize, x: usize, alpha: f32, block: usize, rowBlocks: usize, y: usize,
): void {
  const values = codeValues(weight.type);
  for (let row: usize = 0; row < TILE; row++) {
    const scale = blockScale(weight, block) * alpha;
    let sum: f32 = 0;
    for (let i: usize = 0; i < CHUNK; i++) {
      const byte = load<u8>(codes + (i >> 1) * TILE + row);
      const code: usize = i & 1 ? byte & 15 : byte >> 4;
      sum += load<f32>(x + (i << 2)) * (load<f32>(values + (code << 2)) * scale);
    }
    store<f32>(y, load<f32>(y) + sum);
    y += 4;
    block += rowBlocks;
  }
}
