/** float16 and bfloat16 to float32, exact for every value. NaN stays NaN. */

/** 2¹¹²: moves the exponent of a float16 (bias 15) in a float32's place (bias 127); makes subnormals normal, too. */
const REBIAS: f32 = 5.192296858534828e33;
/** What the exponent of infinity and NaN becomes by that: 2¹⁶, one more than a finite float16 can have. */
const BEYOND: f32 = 65536.0;

/** Four float16 in the low halves of four 32-bit lanes, as float32. */
// @ts-ignore: decorator
@inline
export function widenFloat16x4(halves: v128): v128 {
  const aligned = v128.and(i32x4.shr_s(i32x4.shl(halves, 16), 3), i32x4.splat(0x8fffffff));
  const value = f32x4.mul(aligned, f32x4.splat(REBIAS));
  const special = f32x4.ge(f32x4.abs(value), f32x4.splat(BEYOND));
  return v128.or(value, v128.and(special, f32x4.splat(Infinity)));
}

/** Four bfloat16 in the low halves of four 32-bit lanes, as float32. */
// @ts-ignore: decorator
@inline
export function widenBfloat16x4(halves: v128): v128 {
  return i32x4.shl(halves, 16);
}

/** Writes `size` float16 as float32. Writes whole vectors: `y` has room for up to 3 numbers more. */
export function widenFloat16(x: usize, y: usize, size: i32): void {
  for (; size >= 4; size -= 4) {
    v128.store(y, widenFloat16x4(v128.load16x4_u(x)));
    x += 8;
    y += 16;
  }
  if (size > 0) v128.store(y, widenFloat16x4(loadHalves(x, size)));
}

/** Writes `size` bfloat16 as float32. Writes whole vectors: `y` has room for up to 3 numbers more. */
export function widenBfloat16(x: usize, y: usize, size: i32): void {
  for (; size >= 4; size -= 4) {
    v128.store(y, widenBfloat16x4(v128.load16x4_u(x)));
    x += 8;
    y += 16;
  }
  if (size > 0) v128.store(y, widenBfloat16x4(loadHalves(x, size)));
}

/** The last 1 .. 3 halves of an array, without reading past it. */
// @ts-ignore: decorator
@inline
function loadHalves(x: usize, size: i32): v128 {
  let halves = i32x4.splat(load<u16>(x));
  if (size > 1) halves = i32x4.replace_lane(halves, 1, load<u16>(x, 2));
  if (size > 2) halves = i32x4.replace_lane(halves, 2, load<u16>(x, 4));
  return halves;
}
