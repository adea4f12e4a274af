/** Products by the system's BLAS, which each thread calls for itself: see src/cpu/blas.node.ts. */

/**
 * `y = alpha · op(a) · op(b) + beta · y`, row-major float32. A width is the elements from one stored row to the next. It
 * traps where no library is connected, or this thread cannot load it.
 */
// @ts-ignore: decorator
@external("env", "sgemm")
export declare function sgemm(
  transposeA: bool, transposeB: bool, m: i32, n: i32, k: i32, alpha: f32, a: usize, aWidth: usize, b: usize,
  bWidth: usize, beta: f32, y: usize, yWidth: usize,
): void;

/** The arguments of a product, as src/cpu/blas.ts lays them out: 32-bit words in this order. Strides are in elements. */
@unmanaged
export class BlasCall {
  a: usize;
  aStride: usize; // from one product of the batch to the next
  aWidth: usize;
  b: usize;
  bStride: usize;
  bWidth: usize;
  y: usize;
  yStride: usize;
  yWidth: usize;
  bias: usize; // or 0: then
  accumulate: i32; // says whether y is added to
  m: i32;
  n: i32;
  k: i32;
  transposeA: i32;
  transposeB: i32;
  alpha: f32;
  unitRows: i32; // of y; a unit is so many rows and columns of a product
  unitColumns: i32;
}

/** Computes the units `begin .. end`: in each product of the batch, block by block in the order of rows. */
export function blasProduct(call: BlasCall, begin: i32, end: i32): void {
  const across = (call.n + call.unitColumns - 1) / call.unitColumns;
  const down = (call.m + call.unitRows - 1) / call.unitRows;
  for (; begin < end; begin++) {
    const block = begin / across;
    const z = block / down;
    unitProduct(call, z, (block - z * down) * call.unitRows, (begin - block * across) * call.unitColumns);
  }
}

/** The unit whose first element is `row`, `column`. */
function unitProduct(call: BlasCall, z: usize, row: usize, column: usize): void {
  const rows = min(call.unitRows, call.m - <i32>row);
  const columns = min(call.unitColumns, call.n - <i32>column);
  const a = call.a + ((z * call.aStride + row * (call.transposeA ? 1 : call.aWidth)) << 2);
  const b = call.b + ((z * call.bStride + column * (call.transposeB ? call.bWidth : 1)) << 2);
  const y = call.y + ((z * call.yStride + row * call.yWidth + column) << 2);
  if (call.bias) repeatRow(call.bias + (column << 2), y, call.yWidth << 2, rows, columns);
  const beta: f32 = call.bias != 0 || call.accumulate != 0 ? 1 : 0;
  sgemm(
    call.transposeA != 0, call.transposeB != 0, rows, columns, call.k, call.alpha, a, call.aWidth, b, call.bWidth, beta, y,
    call.yWidth,
  );
}

function repeatRow(x: usize, y: usize, rowBytes: usize, rows: i32, columns: i32): void {
  for (; rows > 0; rows--) {
    memory.copy(y, x, <usize>columns << 2);
    y += rowBytes;
  }
}
