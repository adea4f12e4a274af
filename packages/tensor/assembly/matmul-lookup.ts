/**
 * The product of one to three rows with a 4-bit weight stored [n, k], as in decoding. The weight is never decoded: two
 * codes share a byte, so a pair of inputs has only 256 products with it, which are written down.
 *
 *     table[byte] = value[byte >> 4] · x[k] + value[byte & 15] · x[k + 1]
 *
 * Every row of the weight is then a sum of entries, one look-up and one addition for two weights, times the scales of
 * its blocks. The tables of a chunk of inputs stay in the first-level cache while all rows of the weight pass by.
 *
 * Units are parts of the inputs, so that no table is made twice. What each part gives is summed afterwards; into how many
 * they are cut depends on the product alone, so that the number of threads does not change a bit of the result.
 */
import { blockScale, codeValues, FourBitWeight } from './four-bit';
import { FOUR_BIT, fourBitWeight, MatmulCall } from './matmul-call';

/** Rows of x, one after the other; to decode the weight once for all of them is as fast from four on. */
const MOST_ROWS: i32 = 3;
/** Inputs of a chunk, 32 KiB of tables. A chunk lies in one block of the weight. */
const CHUNK: i32 = 64;
/** Two chunks of a row of codes are a line of the cache: parts begin with one. */
const LINE: i32 = 2;
const MOST_PARTS: i32 = 8;
/** With fewer columns the tables are not worth making. */
const LEAST_COLUMNS: i32 = 128;
/** Rows whose codes are fetched ahead of their turn: with weights that come from main memory a third faster than none. */
const AHEAD: i32 = 32;
const TABLE_BYTES: usize = 256 * 4;
const TABLES_BYTES: usize = TABLE_BYTES * (CHUNK / 2);

/** The units of `lookUpPart`. 0: the call is not for this file, but for few rows, enough columns, and blocks of whole chunks. */
export function lookUpParts(call: MatmulCall): i32 {
  if (call.bType != FOUR_BIT || !call.transposeB || call.n < LEAST_COLUMNS) return 0;
  if (call.m > MOST_ROWS || (call.transposeA && call.m > 1) || call.k == 0) return 0;
  const weight = fourBitWeight(call);
  if (call.k % CHUNK != 0 || weight.blockSize % CHUNK != 0) return 0;
  // blocks are found by shifts
  if (!isPowerOfTwo(weight.blockSize) || (weight.absmax == 0 && !isPowerOfTwo(weight.nestedBlockSize))) return 0;
  return (call.k + partInputs(call) - 1) / partInputs(call);
}

// @ts-ignore: decorator
@inline
function isPowerOfTwo(x: u32): bool {
  return popcnt<u32>(x) == 1;
}

/** Inputs of a part. */
function partInputs(call: MatmulCall): i32 {
  const lines = (call.k + LINE * CHUNK - 1) / (LINE * CHUNK);
  return ((lines + MOST_PARTS - 1) / MOST_PARTS) * LINE * CHUNK;
}

/** Bytes of memory that each part needs: for tables, and for what it gives to y. */
export function lookUpPartBytes(call: MatmulCall): usize {
  return TABLES_BYTES + (((<usize>call.m * <usize>call.n + 3) & ~3) << 2);
}

/** Computes the parts `begin .. end`. */
export function lookUpPart(call: MatmulCall, parts: usize, begin: i32, end: i32): void {
  const values = codeValues(fourBitWeight(call).type);
  for (; begin < end; begin++) {
    const tables = parts + <usize>begin * lookUpPartBytes(call);
    const sums = tables + TABLES_BYTES;
    memory.fill(sums, 0, lookUpPartBytes(call) - TABLES_BYTES);
    const last = min(call.k, (begin + 1) * partInputs(call));
    for (let k = begin * partInputs(call); k < last; k += CHUNK) {
      for (let i = 0; i < call.m; i++) {
        fillTables(values, call.a + ((<usize>i * <usize>call.k + <usize>k) << 2), call.alpha, tables);
        addChunk(call, k, sums + ((<usize>i * <usize>call.n) << 2), tables);
      }
    }
  }
}

/** `y = Σ parts (+ bias) (+ y)` for the numbers `begin .. end` of y. */
export function lookUpSum(call: MatmulCall, parts: usize, begin: i32, end: i32): void {
  const count = lookUpParts(call);
  const part = lookUpPartBytes(call);
  for (let at = begin; at < end; at++) {
    const y = call.y + (<usize>at << 2);
    let sum: f32 = call.bias ? load<f32>(call.bias + (<usize>(at % call.n) << 2)) : 0;
    if (call.accumulate) sum += load<f32>(y);
    let given = parts + TABLES_BYTES + (<usize>at << 2);
    for (let i = 0; i < count; i++) {
      sum += load<f32>(given);
      given += part;
    }
    store<f32>(y, sum);
  }
}

/** Writes one table for each pair of the chunk's inputs. */
function fillTables(values: usize, x: usize, alpha: f32, tables: usize): void {
  const end = tables + TABLES_BYTES;
  while (tables < end) {
    const x0 = f32x4.splat(load<f32>(x) * alpha);
    const x1 = f32x4.splat(load<f32>(x, 4) * alpha);
    const low0 = f32x4.mul(v128.load(values), x1);
    const low1 = f32x4.mul(v128.load(values, 16), x1);
    const low2 = f32x4.mul(v128.load(values, 32), x1);
    const low3 = f32x4.mul(v128.load(values, 48), x1);
    for (let value: usize = 0; value < 64; value += 16) {
      const high = f32x4.mul(v128.load(values + value), x0);
      storeRow(v128.shuffle<f32>(high, high, 0, 0, 0, 0), low0, low1, low2, low3, tables);
      storeRow(v128.shuffle<f32>(high, high, 1, 1, 1, 1), low0, low1, low2, low3, tables + 64);
      storeRow(v128.shuffle<f32>(high, high, 2, 2, 2, 2), low0, low1, low2, low3, tables + 128);
      storeRow(v128.shuffle<f32>(high, high, 3, 3, 3, 3), low0, low1, low2, low3, tables + 192);
      tables += 256;
    }
    x += 8;
  }
}

/** The sixteen entries of one high code. */
// @ts-ignore: decorator
@inline
function storeRow(high: v128, low0: v128, low1: v128, low2: v128, low3: v128, table: usize): void {
  v128.store(table, f32x4.add(high, low0));
  v128.store(table, f32x4.add(high, low1), 16);
  v128.store(table, f32x4.add(high, low2), 32);
  v128.store(table, f32x4.add(high, low3), 48);
}

/** Adds what the chunk from k on gives to the columns of a row, four at a time. */
function addChunk(call: MatmulCall, k: i32, sums: usize, tables: usize): void {
  const weight = fourBitWeight(call);
  const row = <usize>call.k >> 1;
  const columns = call.n;
  let at = <u32>k;
  let j = 0;
  for (; j + 4 <= columns; j += 4) {
    const codes = weight.packed + (at >> 1);
    if (j + AHEAD + 4 <= columns) touch(codes + AHEAD * row, row);
    const found = f32x4.mul(fourSums(codes, row, tables), fourScales(weight, at, call.k));
    v128.store(sums, f32x4.add(v128.load(sums), found));
    sums += 16;
    at += 4 * call.k;
  }
  for (; j < columns; j++) {
    const found = f32x4.extract_lane(fourSums(weight.packed + (at >> 1), 0, tables), 0);
    store<f32>(sums, load<f32>(sums) + found * blockScale(weight, at / weight.blockSize));
    sums += 4;
    at += call.k;
  }
}

/** Reads a byte of each of four rows, so that they are near when their turn comes: they lie far apart, on a line each. */
// @ts-ignore: decorator
@inline
function touch(codes: usize, row: usize): void {
  load<u8>(codes);
  load<u8>(codes + row);
  load<u8>(codes + 2 * row);
  load<u8>(codes + 3 * row);
}

/** The scales of the blocks of `at` and of the same place in the three rows after it. */
// @ts-ignore: decorator
@inline
function fourScales(weight: FourBitWeight, at: u32, k: u32): v128 {
  const shift = ctz<u32>(weight.blockSize);
  const block0 = at >> shift;
  const block1 = (at + k) >> shift;
  const block2 = (at + 2 * k) >> shift;
  const block3 = (at + 3 * k) >> shift;
  if (weight.absmax) return fourEntries(weight.absmax, block0, block1, block2, block3);
  const codes = weight.absmaxCodes;
  const factors = fourEntries(
    weight.nestedCode, load<u8>(codes + block0), load<u8>(codes + block1), load<u8>(codes + block2), load<u8>(codes + block3),
  );
  const nested = ctz<u32>(weight.nestedBlockSize);
  const scales = fourEntries(weight.nestedAbsmax, block0 >> nested, block1 >> nested, block2 >> nested, block3 >> nested);
  return f32x4.add(f32x4.mul(factors, scales), f32x4.splat(weight.nestedOffset));
}

/** What each of four rows of codes, `row` bytes apart, finds in the tables, without its scale. */
// @ts-ignore: decorator
@inline
function fourSums(codes: usize, row: usize, tables: usize): v128 {
  // two sums, as an addition waits three or four cycles for the one before
  let even = f32x4.splat(0);
  let odd = even;
  const end = tables + TABLES_BYTES;
  for (; tables < end; tables += 4 * TABLE_BYTES) {
    const codes1 = codes + row;
    const codes2 = codes1 + row;
    const codes3 = codes2 + row;
    even = f32x4.add(even, fourEntries(
      tables, load<u8>(codes), load<u8>(codes1), load<u8>(codes2), load<u8>(codes3),
    ));
    odd = f32x4.add(odd, fourEntries(
      tables + TABLE_BYTES, load<u8>(codes, 1), load<u8>(codes1, 1), load<u8>(codes2, 1), load<u8>(codes3, 1),
    ));
    even = f32x4.add(even, fourEntries(
      tables + 2 * TABLE_BYTES, load<u8>(codes, 2), load<u8>(codes1, 2), load<u8>(codes2, 2), load<u8>(codes3, 2),
    ));
    odd = f32x4.add(odd, fourEntries(
      tables + 3 * TABLE_BYTES, load<u8>(codes, 3), load<u8>(codes1, 3), load<u8>(codes2, 3), load<u8>(codes3, 3),
    ));
    codes += 4;
  }
  return f32x4.add(even, odd);
}

/** Four entries of a table. Loaded into lanes: four scalar sums would take half as many operations again. */
// @ts-ignore: decorator
@inline
function fourEntries(table: usize, place0: usize, place1: usize, place2: usize, place3: usize): v128 {
  let entries = v128.load32_zero(table + (place0 << 2));
  entries = v128.load_lane<f32>(table + (place1 << 2), entries, 1);
  entries = v128.load_lane<f32>(table + (place2 << 2), entries, 2);
  return v128.load_lane<f32>(table + (place3 << 2), entries, 3);
}
