/**
 * The one inner loop of all matrix products: a tile of 4 × 8 numbers, eight vectors that stay in registers.
 * With 16 registers there is no room for more (6 × 8 spills and runs at half to two thirds of the speed in V8), and
 * unrolling over k halves the speed there too. 3 × 12 and 2 × 16 are as fast within 4 %, in both builds: all three reach
 * what 128-bit vectors give, once what they read is near.
 */
import { madd4 } from './math';

export const TILE_ROWS: i32 = 4;
export const TILE_COLUMNS: i32 = 8;
export const TILE_BYTES: usize = 128;
/** Bytes of a row of a tile, and of a step of a panel of eight columns. */
export const TILE_ROW_BYTES: usize = 32;

/**
 * `out[i, j] = Σk a[i, k] · b[k, j]` for a tile of 4 × 8. Distances are in bytes.
 *
 * a[i, k] lies at `a + i · aRow + k · aStep`; only the first `rows` rows (1 .. 4) are read, and rows of `out` past them
 * hold copies. b[k, 0 .. 8] lies at `b + k · bStep`. `out` is written whole, its rows `outRow` apart.
 */
export function tileProduct(
  a: usize, aRow: usize, aStep: usize, rows: i32,
  b: usize, bStep: usize, k: i32, out: usize, outRow: usize,
): void {
  let a1 = rows > 1 ? a + aRow : a;
  let a2 = rows > 2 ? a1 + aRow : a1;
  let a3 = rows > 3 ? a2 + aRow : a2;
  let c00 = f32x4.splat(0), c01 = c00, c10 = c00, c11 = c00, c20 = c00, c21 = c00, c30 = c00, c31 = c00;
  for (let left = k; left > 0; left--) {
    const b0 = v128.load(b);
    const b1 = v128.load(b, 16);
    let splat = v128.load32_splat(a);
    c00 = madd4(splat, b0, c00);
    c01 = madd4(splat, b1, c01);
    splat = v128.load32_splat(a1);
    c10 = madd4(splat, b0, c10);
    c11 = madd4(splat, b1, c11);
    splat = v128.load32_splat(a2);
    c20 = madd4(splat, b0, c20);
    c21 = madd4(splat, b1, c21);
    splat = v128.load32_splat(a3);
    c30 = madd4(splat, b0, c30);
    c31 = madd4(splat, b1, c31);
    a += aStep;
    a1 += aStep;
    a2 += aStep;
    a3 += aStep;
    b += bStep;
  }
  v128.store(out, c00);
  v128.store(out, c01, 16);
  out += outRow;
  v128.store(out, c10);
  v128.store(out, c11, 16);
  out += outRow;
  v128.store(out, c20);
  v128.store(out, c21, 16);
  out += outRow;
  v128.store(out, c30);
  v128.store(out, c31, 16);
}

/** Bytes of a panel of eight columns and `k` steps. */
// @ts-ignore: decorator
@inline
export function panelBytes(k: i32): usize {
  return <usize>k << 5;
}

/**
 * `y = alpha · a · b (+ bias) (+ y)` for `rows` × `columns`, with b in panels of eight columns, `panelStride` bytes apart.
 *
 * a[i, k] lies at `aTile` (distance from four rows to the next four), `aRow` and `aStep` as in `tileProduct`. All
 * distances are in bytes; `bias` is 0 or points to `columns` numbers; `tile` is scratch of TILE_BYTES.
 */
export function panelProduct(
  aBlock: usize, aTile: usize, aRow: usize, aStep: usize, rows: i32, panel: usize, panelStride: usize, k: i32,
  columns: i32, yBlock: usize, yRow: usize, alpha: f32, bias: usize, add: bool, tile: usize,
): void {
  for (; columns > 0; columns -= TILE_COLUMNS) {
    const width = min(TILE_COLUMNS, columns);
    let a = aBlock;
    let y = yBlock;
    for (let left = rows; left > 0; left -= TILE_ROWS) {
      const height = min(TILE_ROWS, left);
      tileProduct(a, aRow, aStep, height, panel, TILE_ROW_BYTES, k, tile, TILE_ROW_BYTES);
      finishTile(tile, y, yRow, height, width, alpha, bias, add);
      a += aTile;
      y += yRow * TILE_ROWS;
    }
    panel += panelStride;
    yBlock += TILE_ROW_BYTES;
    if (bias) bias += TILE_ROW_BYTES;
  }
}

/**
 * `y = alpha · tile (+ bias) (+ y)` for the first `rows` × `columns` numbers of a tile whose rows lie 32 bytes apart.
 * `bias` points to the number of the tile's first column, or is 0; `yRow` is in bytes.
 */
export function finishTile(
  tile: usize, y: usize, yRow: usize, rows: i32, columns: i32, alpha: f32, bias: usize, add: bool,
): void {
  if (columns < TILE_COLUMNS) {
    finishEdge(tile, y, yRow, rows, columns, alpha, bias, add);
    return;
  }
  const factor = f32x4.splat(alpha);
  const bias0 = bias ? v128.load(bias) : f32x4.splat(0);
  const bias1 = bias ? v128.load(bias, 16) : f32x4.splat(0);
  for (; rows > 0; rows--) {
    let y0 = madd4(v128.load(tile), factor, bias0);
    let y1 = madd4(v128.load(tile, 16), factor, bias1);
    if (add) {
      y0 = f32x4.add(y0, v128.load(y));
      y1 = f32x4.add(y1, v128.load(y, 16));
    }
    v128.store(y, y0);
    v128.store(y, y1, 16);
    tile += TILE_ROW_BYTES;
    y += yRow;
  }
}

function finishEdge(
  tile: usize, y: usize, yRow: usize, rows: i32, columns: i32, alpha: f32, bias: usize, add: bool,
): void {
  for (; rows > 0; rows--) {
    for (let j: usize = 0; j < <usize>columns * 4; j += 4) {
      let sum = load<f32>(tile + j) * alpha;
      if (bias) sum += load<f32>(bias + j);
      if (add) sum += load<f32>(y + j);
      store<f32>(y + j, sum);
    }
    tile += TILE_ROW_BYTES;
    y += yRow;
  }
}
