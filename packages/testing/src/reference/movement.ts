import { decodeHalf, encodeHalf } from './half-precision.js';
import { indices, offsetOf } from './strides.js';
import type { DType, Floats, Storage } from './types.js';

/** Sets `size` elements to `value` (converted to `dtype`). */
export function fill(dtype: DType, y: Storage, value: number, size: number): void {
  for (let i = 0; i < size; i++) y[i] = toStorage(dtype, value);
}

/** Copies bytes. */
export function copy(x: Uint8Array, xByteOffset: number, y: Uint8Array, yByteOffset: number, byteLength: number): void {
  for (let i = 0; i < byteLength; i++) y[yByteOffset + i] = x[xByteOffset + i]!;
}

/** Converts `size` elements; the 16-bit types are held as their bits. */
export function cast(x: Storage, from: DType, y: Storage, to: DType, size: number): void {
  for (let i = 0; i < size; i++) {
    const value = fromStorage(from, x[i]!);
    // Compute is float32: an integer on its way to a 16-bit float is widened to float32 first.
    const isHalf = to === 'float16' || to === 'bfloat16';
    y[i] = toStorage(to, isHalf ? Math.fround(value) : value);
  }
}

/** `y[i0, i1, ...] = x[xOffset + Σ i·xStrides]`. The element size is that of the arrays. */
export function gatherStrided(
  x: Storage,
  y: Storage,
  shape: readonly number[],
  xStrides: readonly number[],
  xOffset: number,
  _bytesPerElement: number,
): void {
  let i = 0;
  for (const index of indices(shape)) y[i++] = x[xOffset + offsetOf(index, xStrides)]!;
}

/** `y[yOffset + Σ i·yStrides] = x[i0, i1, ...]`. */
export function scatterStrided(
  x: Storage,
  y: Storage,
  shape: readonly number[],
  yStrides: readonly number[],
  yOffset: number,
  _bytesPerElement: number,
): void {
  let i = 0;
  for (const index of indices(shape)) y[yOffset + offsetOf(index, yStrides)] = x[i++]!;
}

/** `y[i] = table[ids[i]]`, rows of `cols`; an id outside [0, rows) is clamped into it. */
export function gatherRows(
  table: Storage,
  dtype: DType,
  ids: Int32Array,
  y: Floats,
  count: number,
  rows: number,
  cols: number,
): void {
  for (let i = 0; i < count; i++) {
    const id = clamp(ids[i]!, 0, rows - 1);
    for (let c = 0; c < cols; c++) y[i * cols + c] = fromStorage(dtype, table[id * cols + c]!);
  }
}

/** `dtable[ids[i]] += g[i]`, in the order of i; an id equal to `skip` adds nothing. */
export function scatterAddRows(
  g: Floats,
  ids: Int32Array,
  dtable: Floats,
  count: number,
  rows: number,
  cols: number,
  skip: number,
): void {
  for (let i = 0; i < count; i++) {
    if (ids[i] === skip) continue;
    const id = clamp(ids[i]!, 0, rows - 1);
    for (let c = 0; c < cols; c++) dtable[id * cols + c]! += g[i * cols + c]!;
  }
}

/** The number that a stored element stands for. */
export function fromStorage(dtype: DType, stored: number): number {
  return dtype === 'float16' || dtype === 'bfloat16' ? decodeHalf(dtype, stored) : stored;
}

/** What is stored for `value`: nearest for floats, towards zero and saturating for integers. */
function toStorage(dtype: DType, value: number): number {
  if (dtype === 'float32') return value;
  if (dtype === 'float16' || dtype === 'bfloat16') return encodeHalf(dtype, value);
  if (Number.isNaN(value)) return 0;
  const [lowest, highest] = dtype === 'uint8' ? [0, 255] : [-(2 ** 31), 2 ** 31 - 1];
  return Math.trunc(clamp(value, lowest, highest));
}

function clamp(value: number, lowest: number, highest: number): number {
  return Math.min(Math.max(value, lowest), highest);
}
