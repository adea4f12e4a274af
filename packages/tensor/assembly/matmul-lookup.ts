/**
 * The product of one to three rows with a 4-bit weight stored [n, k], as in decoding. The weight is never decoded: two
 * codes share a byte, so a pair of inputs has only 256 products with it, which are written down.
 *
 *     table[byte] = value[byte >> 4] · x[k] + value[byte & 15] · x[k + 1]
 *
 * Every row of the weight is then a sum of entries, one look-up and one addition for two weights, times the scales of
 * its blocks. The tables of a chunk of inputs stay in the first-level cache while all rows of the weight pass by.
 *
 * A number of y is summed chunk by chunk, whatever range of units it is in: how units are dealt out to calls does not
 * change a bit of the result.
 */
import { blockScale, codeValues, FourBitWeight } from './four-bit';
import { FOUR_BIT, fourBitWeight, MatmulCall } from './matmul-call';

/** Rows of x, one after the other; to decode the weight once for all of them is as fast from four on. */
const MOST_ROWS: i32 = 3;
/** Inputs of a chunk, 32 KiB of tables. A chunk lies in one block of the weight. */
const CHUNK: i32 = 64;
/** Columns of y in a unit. Each range of units makes its own tables, which takes as long as the look-ups of 50 columns. */
const UNIT_COLUMNS: i32 = 512;
const LEAST_COLUMNS: i32 = 128;
const TABLE_BYTES: usize = 256 * 4;

/** Whether a call is done by this file: few rows, columns enough to pay for the tables, blocks of whole chunks, in shifts. */
export function usesLookUp(call: MatmulCall): bool {
  if (call.bType != FOUR_BIT || !call.transposeB || call.n < LEAST_COLUMNS) return false;
  if (call.m > MOST_ROWS || (call.transposeA && call.m > 1)) return false;
  const weight = fourBitWeight(call);
  if (!isPowerOfTwo(weight.blockSize) || (weight.absmax == 0 && !isPowerOfTwo(weight.nestedBlockSize))) return false;
  return call.k % CHUNK == 0 && weight.blockSize % CHUNK == 0;
}

// @ts-ignore: decorator
@inline
function isPowerOfTwo(x: u32): bool {
  return popcnt<u32>(x) == 1;
}

export function lookUpUnits(call: MatmulCall): i32 {
  return (call.n + UNIT_COLUMNS - 1) / UNIT_COLUMNS;
}

export function lookUpScratch(): usize {
  return TABLE_BYTES * (CHUNK / 2);
}

/** Computes the units `begin .. end`, with the tables in `scratch`. */
export function lookUpProducts(call: MatmulCall, begin: i32, end: i32, scratch: usize): void {
  const first = begin * UNIT_COLUMNS;
  const last = min(call.n, end * UNIT_COLUMNS);
  const values = codeValues(fourBitWeight(call).type);
  for (let i = 0; i < call.m; i++) startSums(call, i, first, last);
  for (let k = 0; k < call.k; k += CHUNK) {
    for (let i = 0; i < call.m; i++) {
      fillTables(values, call.a + ((<usize>i * <usize>call.k + <usize>k) << 2), call.alpha, scratch);
      addChunk(call, i, k, first, last, scratch);
    }
  }
}

/** Where row i of y begins. */
// @ts-ignore: decorator
@inline
function rowOfY(call: MatmulCall, i: i32): usize {
  return call.y + ((<usize>i * <usize>call.n) << 2);
}

/** The columns `first .. last` of row i hold what the product is added to. */
function startSums(call: MatmulCall, i: i32, first: i32, last: i32): void {
  const y = rowOfY(call, i);
  for (let j = <usize>first << 2; j < <usize>last << 2; j += 4) {
    let sum: f32 = call.bias ? load<f32>(call.bias + j) : 0;
    if (call.accumulate) sum += load<f32>(y + j);
    store<f32>(y + j, sum);
  }
}

/** Writes one table for each pair of the chunk's inputs. */
function fillTables(values: usize, x: usize, alpha: f32, tables: usize): void {
  const end = tables + lookUpScratch();
  while (tables < end) {
    const x0 = load<f32>(x) * alpha;
    const x1 = f32x4.splat(load<f32>(x, 4) * alpha);
    const low0 = f32x4.mul(v128.load(values), x1);
    const low1 = f32x4.mul(v128.load(values, 16), x1);
    const low2 = f32x4.mul(v128.load(values, 32), x1);
    const low3 = f32x4.mul(v128.load(values, 48), x1);
    for (let value: usize = 0; value < 64; value += 4) {
      const high = f32x4.splat(load<f32>(values + value) * x0);
      v128.store(tables, f32x4.add(high, low0));
      v128.store(tables, f32x4.add(high, low1), 16);
      v128.store(tables, f32x4.add(high, low2), 32);
      v128.store(tables, f32x4.add(high, low3), 48);
      tables += 64;
    }
    x += 8;
  }
}

/** Adds what the chunk from k on gives to the columns `first .. last` of row i, four at a time. */
function addChunk(call: MatmulCall, i: i32, k: i32, first: i32, last: i32, tables: usize): void {
  const weight = fourBitWeight(call);
  const row = <usize>call.k >> 1;
  let y = rowOfY(call, i) + (<usize>first << 2);
  let at = <u32>first * <u32>call.k + <u32>k;
  let j = first;
  for (; j + 4 <= last; j += 4) {
    const codes = weight.packed + (at >> 1);
    if (j + 8 <= last) touch(codes + 4 * row, row);
    const sums = fourSums(codes, row, tables);
    v128.store(y, f32x4.add(v128.load(y), f32x4.mul(sums, fourScales(weight, at, call.k))));
    y += 16;
    at += 4 * call.k;
  }
  for (; j < last; j++) {
    const codes = weight.packed + (at >> 1);
    const sum = f32x4.extract_lane(fourSums(codes, 0, tables), 0);
    store<f32>(y, load<f32>(y) + sum * blockScale(weight, at / weight.blockSize));
    y += 4;
    at += call.k;
  }
}

/** Reads one byte of each of four rows, so that they are near when their turn comes: they lie far apart, on a line each. */
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
  const end = tables + lookUpScratch();
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
