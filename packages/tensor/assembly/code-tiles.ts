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
import { interleaveHigh8, interleaveLow8 } from './interleave';

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
    const acLow = interleaveLow8(a, c);
    const acHigh = interleaveHigh8(a, c);
    const bdLow = interleaveLow8(b, d);
    const bdHigh = interleaveHigh8(b, d);
    v128.store(y, interleaveLow8(acLow, bdLow));
    v128.store(y + yRow, interleaveHigh8(acLow, bdLow));
    v128.store(y + 2 * yRow, interleaveLow8(acHigh, bdHigh));
    v128.store(y + 3 * yRow, interleaveHigh8(acHigh, bdHigh));
    x += xRow;
    y += 4 * yRow;
  }
}
