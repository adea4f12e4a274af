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
import { loadPart4, storePart4 } from './lanes';
import { FOUR_BIT, fourBitWeight, MatmulCall } from './matmul-call';

/** Rows of x, one after the other; to decode the weight once for all of them is as fast from four on. */
const MOST_ROWS: i32 = 3;
/** Inputs of a chunk, 32 KiB of tables. A chunk lies in one block of the weight. */
const CHUNK: i32 = 64;
/** Columns of y in a unit. Each range of units makes its own tables, which takes as long as the look-ups of 50 columns. */
const UNIT_COLUMNS: i32 = 512;
const LEAST_COLUMNS: i32 = 128;
const TABLE_BYTES: usize = 256 * 4;

/** Whether a call is done by this file: few rows, columns enough to pay for the tables, blocks of whole chunks. */
export function usesLookUp(call: MatmulCall): bool {
  if (call.bType != FOUR_BIT || !call.transposeB || call.n < LEAST_COLUMNS) return false;
  if (call.m > MOST_ROWS || (call.transposeA && call.m > 1)) return false;
  return call.k % CHUNK == 0 && fourBitWeight(call).blockSize % CHUNK == 0;
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
  const size = weight.blockSize;
  let y = rowOfY(call, i) + (<usize>first << 2);
  for (let j = first; j < last; j += 4) {
    // at the edge, rows that do not exist repeat the first of the four
    const at0 = <u32>j * <u32>call.k + <u32>k;
    const at1 = j + 1 < last ? at0 + call.k : at0;
    const at2 = j + 2 < last ? at1 + call.k : at0;
    const at3 = j + 3 < last ? at2 + call.k : at0;
    const packed = weight.packed;
    const sums = fourSums(packed + (at0 >> 1), packed + (at1 >> 1), packed + (at2 >> 1), packed + (at3 >> 1), tables);
    const scales = f32x4(
      blockScale(weight, at0 / size),
      blockScale(weight, at1 / size),
      blockScale(weight, at2 / size),
      blockScale(weight, at3 / size),
    );
    const left = <usize>(last - j);
    storePart4(y, f32x4.add(loadPart4(y, left), f32x4.mul(sums, scales)), left);
    y += 16;
  }
}

/** What each of four rows of codes finds in the tables, without its scale. */
// @ts-ignore: decorator
@inline
function fourSums(codes0: usize, codes1: usize, codes2: usize, codes3: usize, tables: usize): v128 {
  let sum0: f32 = 0;
  let sum1: f32 = 0;
  let sum2: f32 = 0;
  let sum3: f32 = 0;
  const end = tables + lookUpScratch();
  for (; tables < end; tables += TABLE_BYTES) {
    sum0 += entry(tables, codes0++);
    sum1 += entry(tables, codes1++);
    sum2 += entry(tables, codes2++);
    sum3 += entry(tables, codes3++);
  }
  return f32x4(sum0, sum1, sum2, sum3);
}

// @ts-ignore: decorator
@inline
function entry(table: usize, code: usize): f32 {
  return load<f32>(table + (<usize>load<u8>(code) << 2));
}
