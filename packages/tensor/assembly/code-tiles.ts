/**
 * The order of 4-bit codes in which few rows are multiplied (matmul-lookup.ts): sixteen rows of a weight [n, k] are a tile.
 * The bytes of its first two columns come first, then those of the next two, so that one vector holds the codes of the same
 * inputs in sixteen rows.
 *
 *     rows    tile[row][byte]      row < 16, byte < k / 2      as they are stored everywhere else
 *     tiles   tile[byte][row]
 *
 * Both orders take the same bytes of memory, and a weight is turned from one to the other where it lies.
 */

export const TILE: usize = 16;
/** A tile is turned by squares of 16 × 16 bytes. */
const SQUARE_BYTES: usize = TILE * TILE;

/** Bytes of scratch for `turnTiles`: a tile, and a square. */
export function turnTilesScratch(rowBytes: usize): usize {
  return TILE * rowBytes + SQUARE_BYTES;
}

/** Turns the tiles `begin .. end` from rows to tiles, or back. `rowBytes` is a multiple of 16. */
export function turnTiles(packed: usize, rowBytes: usize, back: bool, begin: i32, end: i32, scratch: usize): void {
  const tileBytes = TILE * rowBytes;
  const square = scratch + tileBytes;
  for (let tile = packed + <usize>begin * tileBytes; begin < end; begin++) {
    memory.copy(scratch, tile, tileBytes);
    for (let byte: usize = 0; byte < rowBytes; byte += TILE) {
      const rows = scratch + byte;
      const columns = byte * TILE;
      if (back) transposeSquare(scratch + columns, TILE, tile + byte, rowBytes, square);
      else transposeSquare(rows, rowBytes, tile + columns, TILE, square);
    }
    tile += tileBytes;
  }
}

/** `y[j][i] = x[i][j]` for 16 × 16 bytes. */
function transposeSquare(x: usize, xRow: usize, y: usize, yRow: usize, square: usize): void {
  shuffleTwice(x, xRow, square, TILE);
  shuffleTwice(square, TILE, y, yRow);
}

/**
 * Interleaves the first eight rows with the last eight, byte by byte, and the result again: after four times, a square is
 * transposed. The rows i, i + 4, i + 8 and i + 12 become the rows 4i to 4i + 3.
 */
// @ts-ignore: decorator
@inline
function shuffleTwice(x: usize, xRow: usize, y: usize, yRow: usize): void {
  for (let i = 0; i < 4; i++) {
    const a = v128.load(x);
    const b = v128.load(x + 4 * xRow);
    const c = v128.load(x + 8 * xRow);
    const d = v128.load(x + 12 * xRow);
    const acLow = interleaveLow(a, c);
    const acHigh = interleaveHigh(a, c);
    const bdLow = interleaveLow(b, d);
    const bdHigh = interleaveHigh(b, d);
    v128.store(y, interleaveLow(acLow, bdLow));
    v128.store(y + yRow, interleaveHigh(acLow, bdLow));
    v128.store(y + 2 * yRow, interleaveLow(acHigh, bdHigh));
    v128.store(y + 3 * yRow, interleaveHigh(acHigh, bdHigh));
    x += xRow;
    y += 4 * yRow;
  }
}

// @ts-ignore: decorator
@inline
function interleaveLow(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

// @ts-ignore: decorator
@inline
function interleaveHigh(a: v128, b: v128): v128 {
  return v128.shuffle<i8>(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}
