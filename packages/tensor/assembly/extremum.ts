/** The gradient of max, min and maxAbs over the middle axis of [outer, length, inner], and argmax over rows. */
import { loadTail4, storeTail4 } from './lanes';
import { all4, copySign4, sumLanes4 } from './math';
import { reduceBlock } from './sums';
import { Max } from './reduce-ops';

/**
 * Units begin .. end are the pairs (outer, four columns). The elements that equal `y` share `g`; with `absolute` those
 * whose magnitude does, each times its sign.
 */
export function reduceExtremumBackward(
  x: usize, y: usize, g: usize, dx: usize, length: usize, inner: usize, absolute: bool, begin: usize, end: usize,
): void {
  const strips = (inner + 3) / 4;
  for (let unit = begin; unit < end; unit++) {
    const outer = unit / strips;
    const column = (unit - outer * strips) * 4;
    const first = (outer * length * inner + column) << 2;
    const result = (outer * inner + column) << 2;
    if (inner == 1) shareRow(x + first, load<f32>(y + result), load<f32>(g + result), dx + first, length, absolute);
    else {
      const count = min<usize>(4, inner - column);
      shareColumns(x + first, y + result, g + result, dx + first, length, inner << 2, count, absolute);
    }
  }
}

/** Ones in the lanes of x that equal y. */
// @ts-ignore: decorator
@inline
function hits4(x: v128, y: v128, absolute: bool): v128 {
  return f32x4.eq(absolute ? f32x4.abs(x) : x, y);
}

/** `share` where x hits, with the sign of x where `absolute` (0 for x = 0). */
// @ts-ignore: decorator
@inline
function shared4(x: v128, y: v128, share: v128, absolute: bool): v128 {
  let hits = hits4(x, y, absolute);
  if (!absolute) return v128.and(share, hits);
  hits = v128.and(hits, f32x4.ne(x, all4(0.0)));
  return v128.and(f32x4.mul(share, copySign4(all4(1.0), x)), hits);
}

function shareRow(x: usize, extremum: f32, g: f32, dx: usize, length: usize, absolute: bool): void {
  const y = all4(extremum);
  const stop = (length & ~3) << 2;
  const rest = length & 3;
  let hits = i32x4.splat(0);
  for (let i: usize = 0; i < stop; i += 16) hits = i32x4.sub(hits, hits4(v128.load(x + i), y, absolute));
  let count = sumLanes4(f32x4.convert_i32x4_s(hits));
  for (let i = length - rest; i < length; i++) {
    const value = load<f32>(x + (i << 2));
    if ((absolute ? abs(value) : value) == extremum) count += 1.0;
  }
  const share = all4(g / count);
  for (let i: usize = 0; i < stop; i += 16) v128.store(dx + i, shared4(v128.load(x + i), y, share, absolute));
  if (rest) storeTail4(dx + stop, shared4(loadTail4(x + stop, rest), y, share, absolute), rest);
}

/** One to four columns. */
function shareColumns(
  x: usize, y: usize, g: usize, dx: usize, length: usize, stride: usize, count: usize, absolute: bool,
): void {
  const extremum = count == 4 ? v128.load(y) : loadTail4(y, count);
  const upstream = count == 4 ? v128.load(g) : loadTail4(g, count);
  const bytes = length * stride;
  let hits = i32x4.splat(0);
  for (let i: usize = 0; i < bytes; i += stride) {
    const value = count == 4 ? v128.load(x + i) : loadTail4(x + i, count);
    hits = i32x4.sub(hits, hits4(value, extremum, absolute));
  }
  const share = f32x4.div(upstream, f32x4.convert_i32x4_s(hits));
  for (let i: usize = 0; i < bytes; i += stride) {
    const value = count == 4 ? v128.load(x + i) : loadTail4(x + i, count);
    const result = shared4(value, extremum, share, absolute);
    if (count == 4) v128.store(dx + i, result);
    else storeTail4(dx + i, result, count);
  }
}

/** Rows begin .. end: the index of the first largest element, as int32; NaN counts as largest. */
export function argmax(x: usize, y: usize, cols: usize, begin: usize, end: usize): void {
  for (let row = begin; row < end; row++) {
    const from = x + ((row * cols) << 2);
    store<i32>(y + (row << 2), i32(firstOf(from, reduceBlock<Max>(from, cols), cols)));
  }
}

/** The first element that equals `value`, or the first NaN if `value` is NaN. */
function firstOf(x: usize, value: f32, count: usize): usize {
  const wanted = all4(value);
  const isNan = value != value;
  let i: usize = 0;
  for (; i + 4 <= count; i += 4) {
    const lanes = v128.load(x + (i << 2));
    const hits = i32x4.bitmask(isNan ? f32x4.ne(lanes, lanes) : f32x4.eq(lanes, wanted));
    if (hits) return i + usize(ctz(hits));
  }
  for (; i < count; i++) {
    const element = load<f32>(x + (i << 2));
    if (isNan ? element != element : element == value) return i;
  }
  return 0;
}
