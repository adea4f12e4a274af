/** Softmax and its logarithm over rows of `cols`, rows begin .. end. A row is in the cache after its first pass. */
import { loadTail4, maskTail4, storeTail4 } from './lanes';
import { all4, expNonPositive4, log4, madd4, maxLanes4, nmadd4, sumLanes4 } from './math';
import { Sum } from './reduce-ops';
import { BLOCK, sumOf } from './sums';

/** The largest of a row. NaN is passed over: it comes back in the sum of exponentials. */
export function rowMax(x: usize, cols: usize): f32 {
  let a = all4(-Infinity);
  let b = a;
  let c = a;
  let d = a;
  let i: usize = 0;
  for (; i + 16 <= cols; i += 16) {
    const from = x + (i << 2);
    a = f32x4.pmax(a, v128.load(from));
    b = f32x4.pmax(b, v128.load(from, 16));
    c = f32x4.pmax(c, v128.load(from, 32));
    d = f32x4.pmax(d, v128.load(from, 48));
  }
  for (; i + 4 <= cols; i += 4) a = f32x4.pmax(a, v128.load(x + (i << 2)));
  const rest = cols - i;
  if (rest) b = f32x4.pmax(b, v128.bitselect(loadTail4(x + (i << 2), rest), all4(-Infinity), maskTail4(rest)));
  return maxLanes4(f32x4.pmax(f32x4.pmax(a, b), f32x4.pmax(c, d)));
}

/** `Σ exp(x − shift)` of a row; the exponentials go to `y`, unless that is 0. */
export function exponentials(x: usize, y: usize, cols: usize, shift: f32): f64 {
  let total: f64 = 0.0;
  for (let i: usize = 0; i < cols; i += BLOCK) {
    const to = y ? y + (i << 2) : 0;
    total += f64(exponentialBlock(x + (i << 2), to, min<usize>(BLOCK, cols - i), shift));
  }
  return total;
}

function exponentialBlock(x: usize, y: usize, count: usize, shift: f32): f32 {
  const largest = all4(shift);
  const stop = (count & ~3) << 2;
  let sum = all4(0.0);
  if (y) {
    for (let i: usize = 0; i < stop; i += 16) {
      const e = expNonPositive4(f32x4.sub(v128.load(x + i), largest));
      v128.store(y + i, e);
      sum = f32x4.add(sum, e);
    }
  } else {
    for (let i: usize = 0; i < stop; i += 16) {
      sum = f32x4.add(sum, expNonPositive4(f32x4.sub(v128.load(x + i), largest)));
    }
  }
  const rest = count & 3;
  if (rest) {
    const e = v128.and(expNonPositive4(f32x4.sub(loadTail4(x + stop, rest), largest)), maskTail4(rest));
    if (y) storeTail4(y + stop, e, rest);
    sum = f32x4.add(sum, e);
  }
  return sumLanes4(sum);
}

/** `ln(x)` of one number. */
// @ts-ignore: decorator
@inline
export function logOf(x: f64): f32 {
  return f32x4.extract_lane(log4(all4(f32(x))), 0);
}

/** `y = factor · y`. */
// @ts-ignore: decorator
@inline
export function scaleRow(y: usize, cols: usize, factor: f32): void {
  const scale = all4(factor);
  const stop = (cols & ~3) << 2;
  for (let i: usize = 0; i < stop; i += 16) v128.store(y + i, f32x4.mul(v128.load(y + i), scale));
  const rest = cols & 3;
  if (rest) storeTail4(y + stop, f32x4.mul(loadTail4(y + stop, rest), scale), rest);
}

/** A row with no element above -∞: all `value`, or all NaN if it has a NaN. */
export function emptyRow(x: usize, y: usize, cols: usize, value: f32): void {
  const sum = f32(sumOf<Sum>(x, cols));
  const fill = sum != sum ? sum : value;
  for (let i: usize = 0; i < cols; i++) store<f32>(y + (i << 2), fill);
}

export function softmax(x: usize, y: usize, cols: usize, begin: usize, end: usize): void {
  for (let row = begin; row < end; row++) {
    const from = x + ((row * cols) << 2);
    const to = y + ((row * cols) << 2);
    const largest = rowMax(from, cols);
    if (largest == -Infinity) emptyRow(from, to, cols, 0.0);
    else scaleRow(to, cols, f32(1.0 / exponentials(from, to, cols, largest)));
  }
}

export function logSoftmax(x: usize, y: usize, cols: usize, begin: usize, end: usize): void {
  for (let row = begin; row < end; row++) {
    const from = x + ((row * cols) << 2);
    const to = y + ((row * cols) << 2);
    const largest = rowMax(from, cols);
    if (largest == -Infinity) emptyRow(from, to, cols, -Infinity);
    else shiftRow(from, to, cols, largest, logOf(exponentials(from, 0, cols, largest)));
  }
}

/** `y = (x − largest) − logSum`, in that order: the first difference is exact where it matters. */
function shiftRow(x: usize, y: usize, cols: usize, largest: f32, logSum: f32): void {
  const first = all4(largest);
  const second = all4(logSum);
  const stop = (cols & ~3) << 2;
  for (let i: usize = 0; i < stop; i += 16) {
    v128.store(y + i, f32x4.sub(f32x4.sub(v128.load(x + i), first), second));
  }
  const rest = cols & 3;
  if (rest) storeTail4(y + stop, f32x4.sub(f32x4.sub(loadTail4(x + stop, rest), first), second), rest);
}

/** `dx = y · (g − Σ g·y)`. */
export function softmaxBackward(y: usize, g: usize, dx: usize, cols: usize, begin: usize, end: usize): void {
  const bytes = (cols & ~3) << 2;
  const rest = cols & 3;
  for (let row = begin; row < end; row++) {
    const start = (row * cols) << 2;
    const dot = all4(f32(dotOf(y + start, g + start, cols)));
    const stop = start + bytes;
    for (let i = start; i < stop; i += 16) {
      v128.store(dx + i, f32x4.mul(v128.load(y + i), f32x4.sub(v128.load(g + i), dot)));
    }
    if (rest) storeTail4(dx + stop, f32x4.mul(loadTail4(y + stop, rest), f32x4.sub(loadTail4(g + stop, rest), dot)), rest);
  }
}

/** `dx = g − exp(y) · Σ g`. */
export function logSoftmaxBackward(y: usize, g: usize, dx: usize, cols: usize, begin: usize, end: usize): void {
  const bytes = (cols & ~3) << 2;
  const rest = cols & 3;
  for (let row = begin; row < end; row++) {
    const start = (row * cols) << 2;
    const sum = all4(f32(sumOf<Sum>(g + start, cols)));
    const stop = start + bytes;
    for (let i = start; i < stop; i += 16) {
      v128.store(dx + i, nmadd4(expNonPositive4(v128.load(y + i)), sum, v128.load(g + i)));
    }
    if (rest) {
      const e = expNonPositive4(loadTail4(y + stop, rest));
      storeTail4(dx + stop, nmadd4(e, sum, loadTail4(g + stop, rest)), rest);
    }
  }
}

/** `Σ a · b`, blocks joined in float64 as in sums.ts. */
export function dotOf(a: usize, b: usize, count: usize): f64 {
  let total: f64 = 0.0;
  for (let i: usize = 0; i < count; i += BLOCK) {
    total += f64(dotBlock(a + (i << 2), b + (i << 2), min<usize>(BLOCK, count - i)));
  }
  return total;
}

// @ts-ignore: decorator
@inline
function dotBlock(a: usize, b: usize, count: usize): f32 {
  let even = all4(0.0);
  let odd = even;
  let i: usize = 0;
  for (; i + 8 <= count; i += 8) {
    const at = i << 2;
    even = madd4(v128.load(a + at), v128.load(b + at), even);
    odd = madd4(v128.load(a + at, 16), v128.load(b + at, 16), odd);
  }
  for (; i + 4 <= count; i += 4) even = madd4(v128.load(a + (i << 2)), v128.load(b + (i << 2)), even);
  const rest = count - i;
  if (rest) odd = madd4(loadTail4(a + (i << 2), rest), loadTail4(b + (i << 2), rest), odd);
  return sumLanes4(f32x4.add(even, odd));
}
