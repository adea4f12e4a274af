/**
 * Copies an array whose elements lie in any order: x and y each have strides of their own. The array is planes (`dims`:
 * see odometer.ts) of `rows` × `length`. Strides are in elements of `1 << shift` bytes.
 */
import { copyBytes } from './bytes';
import { fill32 } from './fill';
import { rowStart } from './odometer';

/** Rows begin .. end, counted over all planes. */
export function copyStrided(
  x: usize, y: usize, dims: usize, rank: usize, rows: usize, length: usize,
  xRowStep: usize, yRowStep: usize, xStep: usize, yStep: usize, shift: usize, begin: usize, end: usize,
): void {
  if (length == 0) return;
  for (let unit = begin; unit < end; ) {
    const plane = unit / rows;
    const row = unit - plane * rows;
    const stop = min<usize>(end, (plane + 1) * rows);
    let from = x + ((rowStart(dims, rank, 0, plane) + row * xRowStep) << shift);
    let to = y + ((rowStart(dims, rank, 1, plane) + row * yRowStep) << shift);
    for (; unit < stop; unit++) {
      copyRow(from, to, length, xStep, yStep, shift);
      from += xRowStep << shift;
      to += yRowStep << shift;
    }
  }
}

// @ts-ignore: decorator
@inline
function copyRow(x: usize, y: usize, length: usize, xStep: usize, yStep: usize, shift: usize): void {
  if (xStep == 1 && yStep == 1) copyBytes(x, y, length << shift);
  else if (xStep == 0 && yStep == 1 && shift == 2) fill32(y, load<u32>(x), 0, length);
  else if (shift == 2) copyElements<u32>(x, y, length, xStep, yStep);
  else if (shift == 1) copyElements<u16>(x, y, length, xStep, yStep);
  else copyElements<u8>(x, y, length, xStep, yStep);
}

function copyElements<T>(x: usize, y: usize, length: usize, xStep: usize, yStep: usize): void {
  for (let i: usize = 0; i < length; i++) {
    store<T>(y, load<T>(x));
    x += xStep * sizeof<T>();
    y += yStep * sizeof<T>();
  }
}

/** Bytes begin .. end. The whole at once may overlap. */
export function copy(x: usize, y: usize, begin: usize, end: usize): void {
  memory.copy(y + begin, x + begin, end - begin);
}

/** Rows of one band of copyTransposed: four tiles, so that each cache line of x is read once. */
const BAND: usize = 16;

/**
 * The same for 4-byte elements where x is contiguous along the rows' axis and y along the other: a transpose, in tiles
 * of 4 × 4. Bands of 16 rows begin .. end, counted over all planes.
 */
export function copyTransposed(
  x: usize, y: usize, dims: usize, rank: usize, rows: usize, length: usize,
  xStep: usize, yRowStep: usize, begin: usize, end: usize,
): void {
  const bands = (rows + BAND - 1) / BAND;
  for (let unit = begin; unit < end; unit++) {
    const plane = unit / bands;
    const row = (unit - plane * bands) * BAND;
    const from = x + ((rowStart(dims, rank, 0, plane) + row) << 2);
    const to = y + ((rowStart(dims, rank, 1, plane) + row * yRowStep) << 2);
    transposeBand(from, to, min<usize>(BAND, rows - row), length, xStep << 2, yRowStep << 2);
  }
}

/** Steps in bytes. */
function transposeBand(x: usize, y: usize, rows: usize, length: usize, xStep: usize, yStep: usize): void {
  const wholeRows = rows & ~3;
  const wholeLength = length & ~3;
  for (let j: usize = 0; j < wholeLength; j += 4) {
    for (let i: usize = 0; i < wholeRows; i += 4) {
      transposeTile(x + j * xStep + (i << 2), y + i * yStep + (j << 2), xStep, yStep);
    }
  }
  for (let i: usize = 0; i < rows; i++) {
    for (let j = i < wholeRows ? wholeLength : 0; j < length; j++) {
      store<u32>(y + i * yStep + (j << 2), load<u32>(x + j * xStep + (i << 2)));
    }
  }
}

// @ts-ignore: decorator
@inline
function transposeTile(x: usize, y: usize, xStep: usize, yStep: usize): void {
  const a = v128.load(x);
  const b = v128.load(x + xStep);
  const c = v128.load(x + 2 * xStep);
  const d = v128.load(x + 3 * xStep);
  const ab01 = v128.shuffle<u32>(a, b, 0, 4, 1, 5);
  const ab23 = v128.shuffle<u32>(a, b, 2, 6, 3, 7);
  const cd01 = v128.shuffle<u32>(c, d, 0, 4, 1, 5);
  const cd23 = v128.shuffle<u32>(c, d, 2, 6, 3, 7);
  v128.store(y, v128.shuffle<u64>(ab01, cd01, 0, 2));
  v128.store(y + yStep, v128.shuffle<u64>(ab01, cd01, 1, 3));
  v128.store(y + 2 * yStep, v128.shuffle<u64>(ab23, cd23, 0, 2));
  v128.store(y + 3 * yStep, v128.shuffle<u64>(ab23, cd23, 1, 3));
}
