/**
 * Loads and stores of one to three float32 at the end of a range, so that the last elements take the same path as all
 * others and nothing beyond the range is touched. Missing lanes read as 0.
 */

/** `count` (1 .. 3) floats at `pointer`. */
export function loadTail4(pointer: usize, count: usize): v128 {
  if (count == 1) return v128.load32_zero(pointer);
  const pair = v128.load64_zero(pointer);
  return count == 2 ? pair : v128.load_lane<f32>(pointer, pair, 2, 8);
}

/** The first `count` (1 .. 3) lanes of `x` to `pointer`. */
export function storeTail4(pointer: usize, x: v128, count: usize): void {
  if (count == 1) {
    v128.store_lane<f32>(pointer, x, 0);
    return;
  }
  v128.store_lane<i64>(pointer, x, 0);
  if (count == 3) v128.store_lane<f32>(pointer, x, 2, 8);
}

/** Ones in the first `count` (1 .. 3) lanes, zeros in the others. */
export function maskTail4(count: usize): v128 {
  return i32x4.lt_s(i32x4(0, 1, 2, 3), i32x4.splat(i32(count)));
}

/** Four floats, or the `left` that remain of a range. For loops where the work outweighs the test. */
// @ts-ignore: decorator
@inline
export function loadPart4(pointer: usize, left: usize): v128 {
  return left >= 4 ? v128.load(pointer) : loadTail4(pointer, left);
}

/** Stores four floats, or the first `left`. */
// @ts-ignore: decorator
@inline
export function storePart4(pointer: usize, x: v128, left: usize): void {
  if (left >= 4) v128.store(pointer, x);
  else storeTail4(pointer, x, left);
}

/** A column's factor: four of `weight`, or 1 where there is none (0). */
// @ts-ignore: decorator
@inline
export function weightPart4(weight: usize, offset: usize, left: usize): v128 {
  return weight ? loadPart4(weight + offset, left) : f32x4.splat(1.0);
}
