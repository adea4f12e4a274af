/**
 * Reductions of contiguous floats, shared by the kernels that walk over rows. A block of at most 1024 elements is reduced
 * in sixteen float32 lanes; blocks are joined in float64, so that the error of a sum does not grow with its length.
 */
import { loadTail4, maskTail4 } from './lanes';

export const BLOCK: usize = 1024;

/** One block of `count` elements. */
// @ts-ignore: decorator
@inline
export function reduceBlock<Op>(x: usize, count: usize): f32 {
  const op = changetype<Op>(0);
  const start = f32x4.splat(op.start());
  let a = start;
  let b = start;
  let c = start;
  let d = start;
  const wide = x + ((count & ~15) << 2);
  for (; x < wide; x += 64) {
    a = op.join(a, op.lift(v128.load(x)));
    b = op.join(b, op.lift(v128.load(x, 16)));
    c = op.join(c, op.lift(v128.load(x, 32)));
    d = op.join(d, op.lift(v128.load(x, 48)));
  }
  const whole = x + ((count & 12) << 2);
  for (; x < whole; x += 16) a = op.join(a, op.lift(v128.load(x)));
  const rest = count & 3;
  if (rest) b = op.join(b, v128.bitselect(op.lift(loadTail4(x, rest)), start, maskTail4(rest)));
  return op.across(op.join(op.join(a, b), op.join(c, d)));
}

/** The sum of `count` elements, each put through `Op.lift`. */
// @ts-ignore: decorator
@inline
export function sumOf<Op>(x: usize, count: usize): f64 {
  let total: f64 = 0.0;
  for (let i: usize = 0; i < count; i += BLOCK) total += f64(reduceBlock<Op>(x + (i << 2), min<usize>(BLOCK, count - i)));
  return total;
}
