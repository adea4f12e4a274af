/**
 * `y[z] = alpha · op(a[z]) · op(b[z]) (+ bias) (+ y[z])`, float32 sums.
 *
 * Blocked after Goto & van de Geijn 2008 (https://doi.org/10.1145/1356052.1356053): a block of b of at most
 * K_BLOCK × COLUMN_BLOCK is packed once and stays in the second-level cache; one panel of it (8 KiB) stays in the first
 * while the rows of a pass by. Rows of a are read where they lie; only a transposed a is packed.
 *
 * The work is cut into units, blocks of y that share nothing. The order in which a number of y is summed depends on
 * K_BLOCK alone, so how units are dealt out to calls does not change a bit of the result.
 */
import { MatmulCall } from './matmul-call';
import { packColumns, packTransposedRows, STAGE_ROWS } from './matmul-pack';
import { usesVectors, vectorProducts, vectorScratch, vectorUnits } from './matmul-vector';
import { panelBytes, panelProduct, TILE_BYTES, TILE_COLUMNS, TILE_ROWS } from './microkernel';

const K_BLOCK: i32 = 256;
const COLUMN_BLOCK: i32 = 512;
const ROW_BLOCK: i32 = 64;

// scratch: one tile, the staged rows of b, a block of a, a block of b
const STAGE_OFFSET: usize = TILE_BYTES;
const A_OFFSET: usize = STAGE_OFFSET + <usize>(STAGE_ROWS * COLUMN_BLOCK) * 4; // K_BLOCK is not larger
const B_OFFSET: usize = A_OFFSET + <usize>(ROW_BLOCK * K_BLOCK) * 4;
const SCRATCH_BYTES: usize = B_OFFSET + <usize>(COLUMN_BLOCK * K_BLOCK) * 4;

/** The units that a call consists of. */
export function matmulUnits(call: MatmulCall): i32 {
  if (usesVectors(call)) return vectorUnits(call);
  return call.batch * blocks(call.n, COLUMN_BLOCK) * blocks(call.m, ROW_BLOCK);
}

/** Bytes of scratch that each caller of `matmul` needs. */
export function matmulScratch(call: MatmulCall): usize {
  if (usesVectors(call)) return vectorScratch(call);
  return SCRATCH_BYTES;
}

/** Computes the units `begin .. end`. */
export function matmul(call: MatmulCall, begin: i32, end: i32, scratch: usize): void {
  if (usesVectors(call)) {
    vectorProducts(call, begin, end, scratch);
    return;
  }
  const rowBlocks = blocks(call.m, ROW_BLOCK);
  const columnBlocks = blocks(call.n, COLUMN_BLOCK);
  while (begin < end) {
    // units that differ in their rows only share a packed block of b
    const strip = begin / rowBlocks;
    const stop = min(end, (strip + 1) * rowBlocks);
    const firstRow = (begin - strip * rowBlocks) * ROW_BLOCK;
    const lastRow = min(call.m, (stop - strip * rowBlocks) * ROW_BLOCK);
    const column = (strip % columnBlocks) * COLUMN_BLOCK;
    columnStrip(call, strip / columnBlocks, firstRow, lastRow, column, scratch);
    begin = stop;
  }
}

// @ts-ignore: decorator
@inline
function blocks(size: i32, block: i32): i32 {
  return (size + block - 1) / block;
}

/** The rows `firstRow .. lastRow` of one block of columns, all of k. */
function columnStrip(call: MatmulCall, z: i32, firstRow: i32, lastRow: i32, column: i32, scratch: usize): void {
  const columns = min(COLUMN_BLOCK, call.n - column);
  let k = 0;
  do {
    const kCount = min(K_BLOCK, call.k - k);
    packColumns(call, z, k, kCount, column, columns, scratch + B_OFFSET, scratch + STAGE_OFFSET);
    for (let row = firstRow; row < lastRow; row += ROW_BLOCK) {
      block(call, z, row, min(ROW_BLOCK, lastRow - row), column, columns, k, kCount, scratch);
    }
    k += K_BLOCK;
  } while (k < call.k);
}

/** One block of y for one block of k. Rows of a are packed where they are stored transposed and read more than once. */
function block(
  call: MatmulCall, z: i32, row: i32, rows: i32, column: i32, columns: i32, k: i32, kCount: i32, scratch: usize,
): void {
  const stored = <usize>(call.transposeA ? call.m : call.k) << 2;
  let a = call.a + ((<usize>z * call.aStride) << 2);
  let aRow = stored;
  let aStep: usize = 4;
  let aTile = stored * TILE_ROWS;
  if (!call.transposeA) {
    a += <usize>row * stored + (<usize>k << 2);
  } else if (columns <= TILE_COLUMNS) {
    a += <usize>k * stored + (<usize>row << 2);
    aRow = 4;
    aStep = stored;
    aTile = TILE_ROWS * 4;
  } else {
    a = scratch + A_OFFSET;
    aRow = 4;
    aStep = TILE_ROWS * 4;
    aTile = aStep * kCount;
    packTransposedRows(call, z, row, rows, k, kCount, a);
  }
  const y = call.y + (((<usize>z * <usize>call.m + <usize>row) * <usize>call.n + <usize>column) << 2);
  const bias = k == 0 && call.bias ? call.bias + (<usize>column << 2) : 0;
  const add = k > 0 || call.accumulate != 0;
  panelProduct(
    a, aTile, aRow, aStep, rows, scratch + B_OFFSET, panelBytes(kCount), kCount, columns,
    y, <usize>call.n << 2, call.alpha, bias, add, scratch,
  );
}
