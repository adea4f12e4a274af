/**
 * Sums over the rows of columns that lie side by side: lanes are columns. Terms are float32 and are added in float64, one by
 * one in the order of the rows. Sums and `centers` are whole vectors, also at their end.
 */
import { loadPart4 } from './lanes';

/** Rows that are added at once: sums and centers are read once for all of them. */
const GROUP: usize = 8;

/** `sums += Σ x`, of `rows` rows that are `stride` bytes apart. */
export function addValues(x: usize, stride: usize, rows: usize, columns: usize, sums: usize): void {
  for (let row: usize = 0; row < rows; row += GROUP, x += GROUP * stride) {
    const count = min<usize>(GROUP, rows - row);
    let i: usize = 0;
    for (; i + 4 <= columns; i += 4) fourValues(x + (i << 2), stride, count, sums + (i << 3), 4);
    if (i < columns) fourValues(x + (i << 2), stride, count, sums + (i << 3), columns - i);
  }
}

// @ts-ignore: decorator
@inline
function fourValues(x: usize, stride: usize, rows: usize, sums: usize, left: usize): void {
  let low = v128.load(sums);
  let high = v128.load(sums, 16);
  for (let row: usize = 0; row < rows; row++, x += stride) {
    const value = loadPart4(x, left);
    low = f64x2.add(low, f64x2.promote_low_f32x4(value));
    high = f64x2.add(high, promoteHigh(value));
  }
  v128.store(sums, low);
  v128.store(sums, high, 16);
}

/** `sums += Σ (x − center)²`, as addValues. */
export function addSquares(x: usize, centers: usize, stride: usize, rows: usize, columns: usize, sums: usize): void {
  for (let row: usize = 0; row < rows; row += GROUP, x += GROUP * stride) {
    const count = min<usize>(GROUP, rows - row);
    let i: usize = 0;
    for (; i + 4 <= columns; i += 4) {
      fourSquares(x + (i << 2), v128.load(centers + (i << 2)), stride, count, sums + (i << 3), 4);
    }
    if (i < columns) {
      fourSquares(x + (i << 2), v128.load(centers + (i << 2)), stride, count, sums + (i << 3), columns - i);
    }
  }
}

// @ts-ignore: decorator
@inline
function fourSquares(x: usize, center: v128, stride: usize, rows: usize, sums: usize, left: usize): void {
  let low = v128.load(sums);
  let high = v128.load(sums, 16);
  for (let row: usize = 0; row < rows; row++, x += stride) {
    const centered = f32x4.sub(loadPart4(x, left), center);
    const square = f32x4.mul(centered, centered);
    low = f64x2.add(low, f64x2.promote_low_f32x4(square));
    high = f64x2.add(high, promoteHigh(square));
  }
  v128.store(sums, low);
  v128.store(sums, high, 16);
}

/** `sums += Σ g` and `dots += Σ g · (x − center)`, as addValues. */
export function addProducts(
  g: usize, x: usize, centers: usize, stride: usize, rows: usize, columns: usize, sums: usize, dots: usize,
): void {
  for (let row: usize = 0; row < rows; row += GROUP, x += GROUP * stride) {
    const count = min<usize>(GROUP, rows - row);
    addValues(g, stride, count, columns, sums);
    let i: usize = 0;
    for (; i + 4 <= columns; i += 4) {
      const center = v128.load(centers + (i << 2));
      fourProducts(g + (i << 2), x + (i << 2), center, stride, count, dots + (i << 3), 4);
    }
    if (i < columns) {
      const center = v128.load(centers + (i << 2));
      fourProducts(g + (i << 2), x + (i << 2), center, stride, count, dots + (i << 3), columns - i);
    }
    g += GROUP * stride;
  }
}

// @ts-ignore: decorator
@inline
function fourProducts(g: usize, x: usize, center: v128, stride: usize, rows: usize, dots: usize, left: usize): void {
  let low = v128.load(dots);
  let high = v128.load(dots, 16);
  for (let row: usize = 0; row < rows; row++, g += stride, x += stride) {
    const product = f32x4.mul(loadPart4(g, left), f32x4.sub(loadPart4(x, left), center));
    low = f64x2.add(low, f64x2.promote_low_f32x4(product));
    high = f64x2.add(high, promoteHigh(product));
  }
  v128.store(dots, low);
  v128.store(dots, high, 16);
}

/** The third and the fourth float32 as float64. */
// @ts-ignore: decorator
@inline
function promoteHigh(x: v128): v128 {
  return f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 0, 1));
}
