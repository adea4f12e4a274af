/**
 * Four dot products of x with rows of w, stored as float32, float16 or bfloat16. Short rows are read together, so that one
 * load of x serves four. Long ones come from main memory, which delivers one stream of addresses half as fast again as four:
 * they are read one after the other.
 */
import { madd4 } from './math';
import { BFLOAT16, FLOAT16, FLOAT32 } from './matmul-call';
import { widenBfloat16x4, widenFloat16x4 } from './widen';

/** Numbers of a row from which it is read on its own. */
const LONG: i32 = 256;

/** `sums[i] += Σk x[k] · wi[k]` for float32 rows. */
export function fourDots(x: usize, w0: usize, w1: usize, w2: usize, w3: usize, k: i32, sums: usize): void {
  addDots(FLOAT32, x, w0, w1, w2, w3, k, sums);
}

/** `sums[i] += Σk x[k] · wi[k]` for float16 rows. */
export function fourDotsFloat16(x: usize, w0: usize, w1: usize, w2: usize, w3: usize, k: i32, sums: usize): void {
  addDots(FLOAT16, x, w0, w1, w2, w3, k, sums);
}

/** `sums[i] += Σk x[k] · wi[k]` for bfloat16 rows. */
export function fourDotsBfloat16(x: usize, w0: usize, w1: usize, w2: usize, w3: usize, k: i32, sums: usize): void {
  addDots(BFLOAT16, x, w0, w1, w2, w3, k, sums);
}

/** Inlined three times, so that `storage` is a constant in each. */
// @ts-ignore: decorator
@inline
function addDots(
  storage: i32, x: usize, w0: usize, w1: usize, w2: usize, w3: usize, k: i32, sums: usize,
): void {
  const step: usize = storage == FLOAT32 ? 16 : 8;
  let s0 = f32x4.splat(0);
  let s1 = s0;
  let s2 = s0;
  let s3 = s0;
  if (k >= LONG) {
    const whole = k & ~15;
    for (let row = 0; row < 4; row++) {
      const sum = rowSum(storage, x, w0, whole);
      // after four turns each row is in its place again
      const w = w0 + ((<usize>whole * step) >> 2);
      w0 = w1;
      w1 = w2;
      w2 = w3;
      w3 = w;
      s0 = s1;
      s1 = s2;
      s2 = s3;
      s3 = sum;
    }
    x += <usize>whole << 2;
    k -= whole;
  }
  // eight numbers at a time: of four, counting and stepping are a third of the instructions
  for (let left = k >> 3; left > 0; left--) {
    let v = v128.load(x);
    s0 = madd4(v, load4(storage, w0), s0);
    s1 = madd4(v, load4(storage, w1), s1);
    s2 = madd4(v, load4(storage, w2), s2);
    s3 = madd4(v, load4(storage, w3), s3);
    v = v128.load(x, 16);
    s0 = madd4(v, load4(storage, w0 + step), s0);
    s1 = madd4(v, load4(storage, w1 + step), s1);
    s2 = madd4(v, load4(storage, w2 + step), s2);
    s3 = madd4(v, load4(storage, w3 + step), s3);
    x += 32;
    w0 += 2 * step;
    w1 += 2 * step;
    w2 += 2 * step;
    w3 += 2 * step;
  }
  if (k & 4) {
    const v = v128.load(x);
    s0 = madd4(v, load4(storage, w0), s0);
    s1 = madd4(v, load4(storage, w1), s1);
    s2 = madd4(v, load4(storage, w2), s2);
    s3 = madd4(v, load4(storage, w3), s3);
    x += 16;
    w0 += step;
    w1 += step;
    w2 += step;
    w3 += step;
  }
  let rest = fourSums(s0, s1, s2, s3);
  for (let left = k & 3; left > 0; left--) {
    const column = load1x4(storage, w0, w1, w2, w3);
    rest = madd4(v128.load32_splat(x), column, rest);
    x += 4;
    w0 += step >> 2;
    w1 += step >> 2;
    w2 += step >> 2;
    w3 += step >> 2;
  }
  v128.store(sums, f32x4.add(v128.load(sums), rest));
}

/** The products of `count` numbers, a multiple of 16, as four sums; made of four others, as an addition takes its time. */
// @ts-ignore: decorator
@inline
function rowSum(storage: i32, x: usize, w: usize, count: i32): v128 {
  const step: usize = storage == FLOAT32 ? 16 : 8;
  let a = f32x4.splat(0);
  let b = a;
  let c = a;
  let d = a;
  for (; count > 0; count -= 16) {
    a = madd4(v128.load(x), load4(storage, w), a);
    b = madd4(v128.load(x, 16), load4(storage, w + step), b);
    c = madd4(v128.load(x, 32), load4(storage, w + 2 * step), c);
    d = madd4(v128.load(x, 48), load4(storage, w + 3 * step), d);
    x += 64;
    w += 4 * step;
  }
  return f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
}

/** The sum of the lanes of each of four vectors, added as `sumLanes4` adds them. */
// @ts-ignore: decorator
@inline
function fourSums(s0: v128, s1: v128, s2: v128, s3: v128): v128 {
  const first = f32x4.add(v128.shuffle<f32>(s0, s1, 0, 4, 1, 5), v128.shuffle<f32>(s0, s1, 2, 6, 3, 7));
  const second = f32x4.add(v128.shuffle<f32>(s2, s3, 0, 4, 1, 5), v128.shuffle<f32>(s2, s3, 2, 6, 3, 7));
  return f32x4.add(v128.shuffle<f32>(first, second, 0, 1, 4, 5), v128.shuffle<f32>(first, second, 2, 3, 6, 7));
}

/** Four numbers of a row. */
// @ts-ignore: decorator
@inline
function load4(storage: i32, w: usize): v128 {
  if (storage == FLOAT32) return v128.load(w);
  return storage == FLOAT16 ? widenFloat16x4(v128.load16x4_u(w)) : widenBfloat16x4(v128.load16x4_u(w));
}

/** One number of each of four rows. */
// @ts-ignore: decorator
@inline
function load1x4(storage: i32, w0: usize, w1: usize, w2: usize, w3: usize): v128 {
  if (storage == FLOAT32) return f32x4(load<f32>(w0), load<f32>(w1), load<f32>(w2), load<f32>(w3));
  const halves = i32x4(load<u16>(w0), load<u16>(w1), load<u16>(w2), load<u16>(w3));
  return storage == FLOAT16 ? widenFloat16x4(halves) : widenBfloat16x4(halves);
}
