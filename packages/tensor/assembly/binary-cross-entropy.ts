/**
 * Binary cross entropy of logits x against targets t in [0, 1], with the weight p of the positives per column (0: all
 * 1); rows begin .. end.
 *
 *   loss = (1 − t) x + (1 + (p − 1) t) · softplus(-x)      softplus(-x) = log(1 + exp(-|x|)) + max(-x, 0)
 *   dx = g · ((1 − t) − (1 + (p − 1) t) · sigmoid(-x))
 */
import { loadPart4, storePart4, weightPart4 } from './lanes';
import { all4, expNonPositive4, log1p4, madd4, sigmoid4 } from './math';

/** `1 + (p − 1) t`. */
// @ts-ignore: decorator
@inline
function positives4(posWeight: usize, at: usize, left: usize, target: v128): v128 {
  const one = all4(1.0);
  return posWeight ? madd4(f32x4.sub(weightPart4(posWeight, at, left), one), target, one) : one;
}

export function bceWithLogits(
  logits: usize, target: usize, posWeight: usize, loss: usize, cols: usize, begin: usize, end: usize,
): void {
  for (let row = begin; row < end; row++) {
    const start = (row * cols) << 2;
    for (let i: usize = 0; i < cols; i += 4) {
      const at = i << 2;
      const left = cols - i;
      const x = loadPart4(logits + start + at, left);
      const t = loadPart4(target + start + at, left);
      const tail = log1p4(expNonPositive4(v128.or(x, all4(-0.0))));
      const softplus = f32x4.add(tail, f32x4.pmax(f32x4.neg(x), all4(0.0)));
      const linear = f32x4.mul(f32x4.sub(all4(1.0), t), x);
      storePart4(loss + start + at, madd4(positives4(posWeight, at, left, t), softplus, linear), left);
    }
  }
}

export function bceWithLogitsBackward(
  logits: usize, target: usize, posWeight: usize, g: usize, dlogits: usize, cols: usize, begin: usize, end: usize,
): void {
  for (let row = begin; row < end; row++) {
    const start = (row * cols) << 2;
    for (let i: usize = 0; i < cols; i += 4) {
      const at = i << 2;
      const left = cols - i;
      const x = loadPart4(logits + start + at, left);
      const t = loadPart4(target + start + at, left);
      const pulled = f32x4.mul(positives4(posWeight, at, left, t), sigmoid4(f32x4.neg(x)));
      const slope = f32x4.sub(f32x4.sub(all4(1.0), t), pulled);
      storePart4(dlogits + start + at, f32x4.mul(loadPart4(g + start + at, left), slope), left);
    }
  }
}
