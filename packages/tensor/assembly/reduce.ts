/**
 * Reductions of the middle axis of [outer, length, inner]. Three shapes of work: contiguous rows (inner = 1), columns
 * (inner > 1), and one long row in blocks.
 */
import { loadPart4, loadTail4, storeTail4 } from './lanes';
import { Max, MaxAbs, Min, Sum, SumAbs, SumSquares } from './reduce-ops';
import { BLOCK, reduceBlock, sumOf } from './sums';

/** Rows begin .. end of sums. */
// @ts-ignore: decorator
@inline
function sumRows<Op>(x: usize, y: usize, length: usize, begin: usize, end: usize): void {
  for (let row = begin; row < end; row++) store<f32>(y + (row << 2), f32(sumOf<Op>(x + ((row * length) << 2), length)));
}

/** Rows begin .. end of largest or smallest elements. */
// @ts-ignore: decorator
@inline
function extremumRows<Op>(x: usize, y: usize, length: usize, begin: usize, end: usize): void {
  for (let row = begin; row < end; row++) {
    store<f32>(y + (row << 2), reduceBlock<Op>(x + ((row * length) << 2), length));
  }
}

/** Columns of one unit below: a cache line of floats. */
const STRIP: usize = 16;

/** Rows that are reduced in plain float32 before the result joins the total. */
const BLOCK_ROWS: usize = 256;

/**
 * Strips of 16 columns begin .. end, counted over all of outer; y is [outer, inner]. `compensate` (sums): blocks of rows
 * join with Kahan's correction; without it (largest, smallest) they join as elements do.
 */
// @ts-ignore: decorator
@inline
function reduceColumns<Op>(
  x: usize, y: usize, length: usize, inner: usize, begin: usize, end: usize, compensate: bool,
): void {
  const strips = (inner + STRIP - 1) / STRIP;
  for (let unit = begin; unit < end; unit++) {
    const outer = unit / strips;
    const column = (unit - outer * strips) * STRIP;
    const from = x + ((outer * length * inner + column) << 2);
    const to = y + ((outer * inner + column) << 2);
    const count = min<usize>(STRIP, inner - column);
    if (count == STRIP) {
      sixteenColumns<Op>(from, to, length, inner << 2, compensate);
      continue;
    }
    for (let c: usize = 0; c < count; c += 4) {
      fourColumns<Op>(from + (c << 2), to + (c << 2), length, inner << 2, min<usize>(4, count - c), compensate);
    }
  }
}

// @ts-ignore: decorator
@inline
function sixteenColumns<Op>(x: usize, y: usize, length: usize, stride: usize, compensate: bool): void {
  const op = changetype<Op>(0);
  const start = f32x4.splat(op.start());
  let total0 = start, total1 = start, total2 = start, total3 = start;
  let lost0 = i32x4.splat(0), lost1 = lost0, lost2 = lost0, lost3 = lost0;
  for (let row: usize = 0; row < length; row += BLOCK_ROWS) {
    const stop = x + min<usize>(BLOCK_ROWS, length - row) * stride;
    let a = start, b = start, c = start, d = start;
    for (; x < stop; x += stride) {
      a = op.join(a, op.lift(v128.load(x)));
      b = op.join(b, op.lift(v128.load(x, 16)));
      c = op.join(c, op.lift(v128.load(x, 32)));
      d = op.join(d, op.lift(v128.load(x, 48)));
    }
    const next0 = op.join(total0, compensate ? f32x4.sub(a, lost0) : a);
    const next1 = op.join(total1, compensate ? f32x4.sub(b, lost1) : b);
    const next2 = op.join(total2, compensate ? f32x4.sub(c, lost2) : c);
    const next3 = op.join(total3, compensate ? f32x4.sub(d, lost3) : d);
    if (compensate) {
      lost0 = rounding4(total0, f32x4.sub(a, lost0), next0);
      lost1 = rounding4(total1, f32x4.sub(b, lost1), next1);
      lost2 = rounding4(total2, f32x4.sub(c, lost2), next2);
      lost3 = rounding4(total3, f32x4.sub(d, lost3), next3);
    }
    total0 = next0;
    total1 = next1;
    total2 = next2;
    total3 = next3;
  }
  v128.store(y, total0);
  v128.store(y, total1, 16);
  v128.store(y, total2, 32);
  v128.store(y, total3, 48);
}

/** One to four columns, with the additions in the order of sixteenColumns. */
// @ts-ignore: decorator
@inline
function fourColumns<Op>(x: usize, y: usize, length: usize, stride: usize, count: usize, compensate: bool): void {
  const op = changetype<Op>(0);
  const start = f32x4.splat(op.start());
  let total = start;
  let lost = i32x4.splat(0);
  for (let row: usize = 0; row < length; row += BLOCK_ROWS) {
    const stop = x + min<usize>(BLOCK_ROWS, length - row) * stride;
    let a = start;
    for (; x < stop; x += stride) a = op.join(a, op.lift(count == 4 ? v128.load(x) : loadTail4(x, count)));
    if (compensate) a = f32x4.sub(a, lost);
    const next = op.join(total, a);
    if (compensate) lost = rounding4(total, a, next);
    total = next;
  }
  if (count == 4) v128.store(y, total);
  else storeTail4(y, total, count);
}

/** What `sum = a + b` lost: (sum − a) − b; 0 where a sum is infinite or NaN, so that it stays so. */
// @ts-ignore: decorator
@inline
function rounding4(a: v128, b: v128, sum: v128): v128 {
  const lost = f32x4.sub(f32x4.sub(sum, a), b);
  return v128.and(lost, f32x4.lt(f32x4.abs(lost), f32x4.splat(Infinity)));
}

/** Blocks begin .. end of 1024 elements: the sum of squares of each, in float64 throughout, to `partial`. */
export function blockSumSquares(x: usize, partial: usize, size: usize, begin: usize, end: usize): void {
  for (let block = begin; block < end; block++) {
    const stop = min<usize>(size, (block + 1) * BLOCK);
    let low = f64x2.splat(0.0);
    let high = low;
    for (let i = block * BLOCK; i < stop; i += 4) {
      const value = loadPart4(x + (i << 2), stop - i);
      const first = f64x2.promote_low_f32x4(value);
      const second = f64x2.promote_low_f32x4(v128.shuffle<f32>(value, value, 2, 3, 0, 1));
      low = f64x2.add(low, f64x2.mul(first, first));
      high = f64x2.add(high, f64x2.mul(second, second));
    }
    const sum = f64x2.add(low, high);
    store<f64>(partial + (block << 3), f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1));
  }
}

/** Joins `count` partial sums: `y[0] = Σ`, or `+=`. */
export function joinBlocks(partial: usize, y: usize, count: usize, accumulate: bool): void {
  let total: f64 = accumulate ? f64(load<f32>(y)) : 0.0;
  for (let i: usize = 0; i < count; i++) total += load<f64>(partial + (i << 3));
  store<f32>(y, f32(total));
}

/** Joins the sums of `count` blocks of a row, as `sumOf` does. */
export function joinRowBlocks(partial: usize, y: usize, count: usize): void {
  let total: f64 = 0.0;
  for (let i: usize = 0; i < count; i++) total += f64(load<f32>(partial + (i << 2)));
  store<f32>(y, f32(total));
}

/** Blocks begin .. end of 1024 elements: how many are NaN or infinite, to `counts`. */
export function blockNonFinite(x: usize, counts: usize, size: usize, begin: usize, end: usize): void {
  for (let block = begin; block < end; block++) {
    store<i32>(counts + (block << 2), nonFinite(x, block * BLOCK, min<usize>(size, (block + 1) * BLOCK)));
  }
}

/** Joins `count` partial counts: `y[0] = Σ`, or `+=`. */
export function joinCounts(counts: usize, y: usize, count: usize, accumulate: bool): void {
  let total = accumulate ? load<i32>(y) : 0;
  for (let i: usize = 0; i < count; i++) total += load<i32>(counts + (i << 2));
  store<i32>(y, total);
}

/** How many of the elements begin .. end are NaN or infinite: those whose exponent is all ones. */
function nonFinite(x: usize, begin: usize, end: usize): i32 {
  const exponent = i32x4.splat(0x7f800000);
  let counts = i32x4.splat(0);
  let i = begin;
  for (; i + 4 <= end; i += 4) {
    counts = i32x4.sub(counts, i32x4.eq(v128.and(v128.load(x + (i << 2)), exponent), exponent));
  }
  if (i < end) counts = i32x4.sub(counts, i32x4.eq(v128.and(loadTail4(x + (i << 2), end - i), exponent), exponent));
  const pairs = i32x4.add(counts, v128.shuffle<i32>(counts, counts, 2, 3, 0, 1));
  return i32x4.extract_lane(pairs, 0) + i32x4.extract_lane(pairs, 1);
}

export function reduceRowsSum(x: usize, y: usize, length: usize, begin: usize, end: usize): void {
  sumRows<Sum>(x, y, length, begin, end);
}

export function reduceColumnsSum(
  x: usize, y: usize, length: usize, inner: usize, begin: usize, end: usize,
): void {
  reduceColumns<Sum>(x, y, length, inner, begin, end, true);
}

export function reduceRowsSumAbs(x: usize, y: usize, length: usize, begin: usize, end: usize): void {
  sumRows<SumAbs>(x, y, length, begin, end);
}

export function reduceColumnsSumAbs(
  x: usize, y: usize, length: usize, inner: usize, begin: usize, end: usize,
): void {
  reduceColumns<SumAbs>(x, y, length, inner, begin, end, true);
}

export function reduceRowsSumSquares(x: usize, y: usize, length: usize, begin: usize, end: usize): void {
  sumRows<SumSquares>(x, y, length, begin, end);
}

export function reduceColumnsSumSquares(
  x: usize, y: usize, length: usize, inner: usize, begin: usize, end: usize,
): void {
  reduceColumns<SumSquares>(x, y, length, inner, begin, end, true);
}

export function reduceRowsMax(x: usize, y: usize, length: usize, begin: usize, end: usize): void {
  extremumRows<Max>(x, y, length, begin, end);
}

export function reduceColumnsMax(
  x: usize, y: usize, length: usize, inner: usize, begin: usize, end: usize,
): void {
  reduceColumns<Max>(x, y, length, inner, begin, end, false);
}

export function reduceRowsMin(x: usize, y: usize, length: usize, begin: usize, end: usize): void {
  extremumRows<Min>(x, y, length, begin, end);
}

export function reduceColumnsMin(
  x: usize, y: usize, length: usize, inner: usize, begin: usize, end: usize,
): void {
  reduceColumns<Min>(x, y, length, inner, begin, end, false);
}

export function reduceRowsMaxAbs(x: usize, y: usize, length: usize, begin: usize, end: usize): void {
  extremumRows<MaxAbs>(x, y, length, begin, end);
}

export function reduceColumnsMaxAbs(
  x: usize, y: usize, length: usize, inner: usize, begin: usize, end: usize,
): void {
  reduceColumns<MaxAbs>(x, y, length, inner, begin, end, false);
}
