/**
 * The product of a few rows with a matrix, as in decoding (m is 1): each stored row of b is read once, where it lies,
 * with no panels. The memory's speed is the limit here, not arithmetic.
 *
 *     b stored [n, k]   four columns of y are dot products of a's rows with four stored rows
 *     b stored [k, n]   four stored rows, each times a number of a, are added to a strip of y
 */
import { FLOAT16, FLOAT32, FOUR_BIT, MatmulCall } from './matmul-call';
import { fourDots, fourDotsBfloat16, fourDotsFloat16 } from './dots';
import { stageRow, stageRows } from './matmul-pack';
import { addRows } from './row-sums';

const MOST_ROWS: i32 = 4;
/** Columns of y in a unit: long enough to read [k, n] in pieces of 1 KiB. */
const UNIT_COLUMNS: i32 = 256;
/** Stored rows that are read together. */
const GROUP: i32 = 4;
/** Numbers of a stored row that are decoded at a time: 32 KiB for four rows. */
const STAGE_K: i32 = 2048;

// scratch: sums of at most 4 × 256, staged rows
const STAGE_OFFSET: usize = <usize>(MOST_ROWS * UNIT_COLUMNS) * 4;
const STAGE_BYTES: usize = <usize>(GROUP * STAGE_K) * 4;

/** Whether a call is done by this file: few rows, which lie along k. */
export function usesVectors(call: MatmulCall): bool {
  return call.m <= MOST_ROWS && (call.transposeA == 0 || call.m == 1);
}

export function vectorUnits(call: MatmulCall): i32 {
  return call.batch * columnUnits(call);
}

// @ts-ignore: decorator
@inline
function columnUnits(call: MatmulCall): i32 {
  return (call.n + UNIT_COLUMNS - 1) / UNIT_COLUMNS;
}

export function vectorScratch(call: MatmulCall): usize {
  return STAGE_OFFSET + (call.bType == FLOAT32 ? 0 : STAGE_BYTES);
}

export function vectorProducts(call: MatmulCall, begin: i32, end: i32, scratch: usize): void {
  const units = columnUnits(call);
  for (; begin < end; begin++) {
    const z = begin / units;
    const column = (begin - z * units) * UNIT_COLUMNS;
    const columns = min(UNIT_COLUMNS, call.n - column);
    memory.fill(scratch, 0, STAGE_OFFSET);
    if (call.transposeB) {
      for (let j = 0; j < columns; j += GROUP) dotGroup(call, z, column, j, min(GROUP, columns - j), scratch);
    } else {
      for (let k = 0; k < call.k; k += GROUP) addGroup(call, z, column, columns, k, min(GROUP, call.k - k), scratch);
    }
    finish(call, z, column, columns, scratch);
  }
}

/** `y = alpha · sums (+ bias) (+ y)`. Row i of the sums lies at `sums + i · UNIT_COLUMNS · 4`. */
function finish(call: MatmulCall, z: i32, column: i32, columns: i32, sums: usize): void {
  for (let i = 0; i < call.m; i++) {
    let y = call.y + (((<usize>z * <usize>call.m + <usize>i) * <usize>call.n + <usize>column) << 2);
    for (let j: usize = 0; j < <usize>columns << 2; j += 4) {
      let sum = load<f32>(sums + j) * call.alpha;
      if (call.bias) sum += load<f32>(call.bias + (<usize>column << 2) + j);
      if (call.accumulate) sum += load<f32>(y);
      store<f32>(y, sum);
      y += 4;
    }
    sums += UNIT_COLUMNS * 4;
  }
}

/** Up to four columns of y, all rows; b is stored [n, k]. */
function dotGroup(call: MatmulCall, z: i32, column: i32, j: i32, columns: i32, sums: usize): void {
  const out = sums + (<usize>j << 2);
  if (call.bType == FOUR_BIT) {
    for (let k = 0; k < call.k; k += STAGE_K) {
      const kCount = min(STAGE_K, call.k - k);
      const w = stageRows(call, z, column + j, columns, k, kCount, sums + STAGE_OFFSET);
      dotRows(call, z, k, kCount, FLOAT32, w, stageRow(call, kCount), columns, out);
    }
  } else {
    const wRow = <usize>call.k << (call.bType == FLOAT32 ? 2 : 1);
    const w = call.b + ((<usize>z * call.bStride) << (call.bType == FLOAT32 ? 2 : 1)) + <usize>(column + j) * wRow;
    dotRows(call, z, 0, call.k, call.bType, w, wRow, columns, out);
  }
}

/** The dot products of each row of a with up to four rows of `storage`, `wRow` bytes apart, are added to sums. */
function dotRows(
  call: MatmulCall, z: i32, k: i32, kCount: i32, storage: i32, w: usize, wRow: usize, columns: i32, out: usize,
): void {
  const w1 = columns > 1 ? w + wRow : w;
  const w2 = columns > 2 ? w1 + wRow : w1;
  const w3 = columns > 3 ? w2 + wRow : w2;
  let a = call.a + ((<usize>z * call.aStride + <usize>k) << 2);
  for (let i = 0; i < call.m; i++) {
    if (storage == FLOAT32) fourDots(a, w, w1, w2, w3, kCount, out);
    else if (storage == FLOAT16) fourDotsFloat16(a, w, w1, w2, w3, kCount, out);
    else fourDotsBfloat16(a, w, w1, w2, w3, kCount, out);
    a += <usize>call.k << 2;
    out += UNIT_COLUMNS * 4;
  }
}

/** Adds the part of up to four stored rows to a strip of y, all rows; b is stored [k, n]. */
function addGroup(call: MatmulCall, z: i32, column: i32, columns: i32, k: i32, kCount: i32, sums: usize): void {
  const w = stageRows(call, z, k, kCount, column, columns, sums + STAGE_OFFSET);
  const wRow = stageRow(call, columns);
  let a = call.a + ((<usize>z * call.aStride + <usize>k) << 2);
  for (let i = 0; i < call.m; i++) {
    addRows(a, w, wRow, kCount, columns, sums);
    a += <usize>call.k << 2;
    sums += UNIT_COLUMNS * 4;
  }
}
