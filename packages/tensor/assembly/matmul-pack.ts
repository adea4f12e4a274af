/**
 * Packing: blocks of a factor, rearranged so that `tileProduct` reads memory in order.
 *
 *     columns of b   panels of 8 columns, each [k][8]
 *     rows of a      panels of 4 rows, each [k][4]     (only where a is stored transposed)
 *
 * b goes through a stage of at most eight of its stored rows, in which half-precision and 4-bit numbers become float32.
 * The columns that fill up the last panel hold anything finite or not: their products are never stored.
 */
import { decodeFourBit } from './four-bit';
import { BFLOAT16, FLOAT16, FLOAT32, fourBitWeight, MatmulCall, storedColumns } from './matmul-call';
import { panelBytes, TILE_COLUMNS, TILE_ROWS } from './microkernel';
import { widenBfloat16, widenFloat16 } from './widen';

/** Stored rows that are staged together. */
export const STAGE_ROWS: i32 = 8;

/** Bytes from one staged row to the next. */
// @ts-ignore: decorator
@inline
export function stageRow(call: MatmulCall, columns: i32): usize {
  return call.bType == FLOAT32 ? <usize>storedColumns(call) << 2 : <usize>((columns + 3) & ~3) << 2;
}

/**
 * A piece of b as float32: `rows` × `columns` from the stored row `row` and column `column` on. Gives the place where
 * it lies: in b itself, or widened in `stage`. Its rows are `stageRow` apart.
 */
export function stageRows(
  call: MatmulCall, z: i32, row: i32, rows: i32, column: i32, columns: i32, stage: usize,
): usize {
  const stored = <usize>storedColumns(call);
  let start = <usize>z * call.bStride + <usize>row * stored + <usize>column;
  if (call.bType == FLOAT32) return call.b + (start << 2);
  const stride = stageRow(call, columns);
  let y = stage;
  for (; rows > 0; rows--) {
    if (call.bType == FLOAT16) widenFloat16(call.b + (start << 1), y, columns);
    else if (call.bType == BFLOAT16) widenBfloat16(call.b + (start << 1), y, columns);
    else decodeFourBit(fourBitWeight(call), <u32>start, columns, y);
    start += stored;
    y += stride;
  }
  return stage;
}

/** Packs rows `k0 .. k0 + kCount` of the columns `j0 .. j0 + columns` of op(b)[z] into panels. */
export function packColumns(
  call: MatmulCall, z: i32, k0: i32, kCount: i32, j0: i32, columns: i32, panels: usize, stage: usize,
): void {
  const panel = panelBytes(kCount);
  if (call.transposeB) {
    const stride = stageRow(call, kCount);
    for (let j = 0; j < columns; j += TILE_COLUMNS) {
      const rows = min(TILE_COLUMNS, columns - j);
      const source = stageRows(call, z, j0 + j, rows, k0, kCount, stage);
      transposePanel(source, stride, rows, kCount, panels);
      panels += panel;
    }
  } else {
    const stride = stageRow(call, columns);
    for (let k = 0; k < kCount; k += STAGE_ROWS) {
      const rows = min(STAGE_ROWS, kCount - k);
      const source = stageRows(call, z, k0 + k, rows, j0, columns, stage);
      dealRows(source, stride, rows, columns, panels + panelBytes(k), panel);
    }
  }
}

/** Up to eight rows of `count` numbers become a panel [count][8]; missing rows repeat the last one. */
export function transposePanel(source: usize, stride: usize, rows: i32, count: i32, panel: usize): void {
  let x0 = source;
  let x1 = rows > 1 ? x0 + stride : x0;
  let x2 = rows > 2 ? x1 + stride : x1;
  let x3 = rows > 3 ? x2 + stride : x2;
  let x4 = rows > 4 ? x3 + stride : x3;
  let x5 = rows > 5 ? x4 + stride : x4;
  let x6 = rows > 6 ? x5 + stride : x5;
  let x7 = rows > 7 ? x6 + stride : x6;
  let k: usize = 0;
  const whole = <usize>(count & ~3) << 2;
  for (; k < whole; k += 16) {
    transpose4(x0 + k, x1 + k, x2 + k, x3 + k, panel);
    transpose4(x4 + k, x5 + k, x6 + k, x7 + k, panel + 16);
    panel += 128;
  }
  for (; k < <usize>count << 2; k += 4) {
    store<f32>(panel, load<f32>(x0 + k));
    store<f32>(panel, load<f32>(x1 + k), 4);
    store<f32>(panel, load<f32>(x2 + k), 8);
    store<f32>(panel, load<f32>(x3 + k), 12);
    store<f32>(panel, load<f32>(x4 + k), 16);
    store<f32>(panel, load<f32>(x5 + k), 20);
    store<f32>(panel, load<f32>(x6 + k), 24);
    store<f32>(panel, load<f32>(x7 + k), 28);
    panel += 32;
  }
}

/** Four vectors become the columns of four others, which lie 32 bytes apart. */
// @ts-ignore: decorator
@inline
function transpose4(x0: usize, x1: usize, x2: usize, x3: usize, y: usize): void {
  const a = v128.load(x0);
  const b = v128.load(x1);
  const c = v128.load(x2);
  const d = v128.load(x3);
  const abLow = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
  const abHigh = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
  const cdLow = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
  const cdHigh = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
  v128.store(y, v128.shuffle<f64>(abLow, cdLow, 0, 2));
  v128.store(y, v128.shuffle<f64>(abLow, cdLow, 1, 3), 32);
  v128.store(y, v128.shuffle<f64>(abHigh, cdHigh, 0, 2), 64);
  v128.store(y, v128.shuffle<f64>(abHigh, cdHigh, 1, 3), 96);
}

/** Deals `rows` rows of `columns` numbers out to panels `panel` bytes apart, eight numbers of a row to each. */
export function dealRows(source: usize, stride: usize, rows: i32, columns: i32, y: usize, panel: usize): void {
  for (; columns >= TILE_COLUMNS; columns -= TILE_COLUMNS) {
    let x = source;
    for (let row: usize = 0; row < <usize>rows << 5; row += 32) {
      v128.store(y + row, v128.load(x));
      v128.store(y + row, v128.load(x, 16), 16);
      x += stride;
    }
    source += 32;
    y += panel;
  }
  if (columns > 0) copyNarrow(source, stride, rows, columns, y, TILE_COLUMNS * 4);
}

/** Packs rows `i0 .. i0 + rows` of op(a)[z], stored transposed, for `k0 .. k0 + kCount` into panels [kCount][4]. */
export function packTransposedRows(
  call: MatmulCall, z: i32, i0: i32, rows: i32, k0: i32, kCount: i32, panels: usize,
): void {
  const stride = <usize>call.m << 2;
  const source = call.a + ((<usize>z * call.aStride + <usize>k0 * <usize>call.m + <usize>i0) << 2);
  const panel = <usize>kCount << 4;
  for (let i = 0; i < rows; i += TILE_ROWS) {
    let x = source + (<usize>i << 2);
    let y = panels;
    if (rows - i >= TILE_ROWS) {
      for (; y < panels + panel; y += 16) {
        v128.store(y, v128.load(x));
        x += stride;
      }
    } else {
      copyNarrow(x, stride, kCount, rows - i, y, TILE_ROWS * 4);
    }
    panels += panel;
  }
}

/** Copies a few numbers of each row: the edge of a panel. */
function copyNarrow(x: usize, xRow: usize, rows: i32, columns: i32, y: usize, yRow: usize): void {
  for (; rows > 0; rows--) {
    for (let j: usize = 0; j < <usize>columns << 2; j += 4) store<f32>(y + j, load<f32>(x + j));
    x += xRow;
    y += yRow;
  }
}
