/** Embedding tables: rows gathered by id, and the gradient scattered back. */
import { copyBytes } from './bytes';
import { loadTail4, storeTail4 } from './lanes';
import { Bfloat16, Float16 } from './storage';

/** An id outside [0, rows) becomes the nearest one inside. */
// @ts-ignore: decorator
@inline
function clampedId(ids: usize, i: usize, rows: i32): usize {
  return usize(max<i32>(0, min<i32>(load<i32>(ids + (i << 2)), rows - 1)));
}

// @ts-ignore: decorator
@inline
function gather<Storage>(table: usize, ids: usize, y: usize, rows: i32, cols: usize, begin: usize, end: usize): void {
  const storage = changetype<Storage>(0);
  for (let i = begin; i < end; i++) {
    const from = table + ((clampedId(ids, i, rows) * cols) << storage.shift);
    const to = y + ((i * cols) << 2);
    let c: usize = 0;
    for (; c + 4 <= cols; c += 4) v128.store(to + (c << 2), storage.load(from + (c << storage.shift)));
    for (; c < cols; c++) v128.store_lane<f32>(to + (c << 2), storage.loadOne(from + (c << storage.shift)), 0);
  }
}

/** `y[i] = table[ids[i]]` for i in begin .. end. */
export function gatherRowsFloat32(
  table: usize, ids: usize, y: usize, rows: i32, cols: usize, begin: usize, end: usize,
): void {
  const byteLength = cols << 2;
  for (let i = begin; i < end; i++) copyBytes(table + clampedId(ids, i, rows) * byteLength, y + i * byteLength, byteLength);
}

export function gatherRowsFloat16(
  table: usize, ids: usize, y: usize, rows: i32, cols: usize, begin: usize, end: usize,
): void {
  gather<Float16>(table, ids, y, rows, cols, begin, end);
}

export function gatherRowsBfloat16(
  table: usize, ids: usize, y: usize, rows: i32, cols: usize, begin: usize, end: usize,
): void {
  gather<Bfloat16>(table, ids, y, rows, cols, begin, end);
}

/**
 * `dtable[ids[i]] += g[i]` in the order of i. The range is columns, not rows: two rows may go to one place, two columns
 * never do, so any split adds in the same order.
 */
export function scatterAddRows(
  g: usize, ids: usize, dtable: usize, count: usize, rows: i32, cols: usize, skip: i32, begin: usize, end: usize,
): void {
  for (let i: usize = 0; i < count; i++) {
    if (load<i32>(ids + (i << 2)) == skip) continue;
    addInto(g + ((i * cols + begin) << 2), dtable + ((clampedId(ids, i, rows) * cols + begin) << 2), end - begin);
  }
}

/** `y += x`. */
function addInto(x: usize, y: usize, count: usize): void {
  const stop = (count & ~3) << 2;
  for (let i: usize = 0; i < stop; i += 16) v128.store(y + i, f32x4.add(v128.load(y + i), v128.load(x + i)));
  const rest = count & 3;
  if (rest) storeTail4(y + stop, f32x4.add(loadTail4(y + stop, rest), loadTail4(x + stop, rest)), rest);
}
