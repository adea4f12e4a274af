/**
 * Optimizer steps, elements begin .. end of pointers that already stand at their piece. Every element is computed by
 * itself, so a parameter may be cut anywhere and the result stays the same, bit for bit. The operations and their order
 * are those of PyTorch's single-tensor CPU implementation.
 */
import { loadPart4, storePart4 } from './lanes';
import { all4 } from './math';

/**
 * Adam. `decay` is 1 − lr·wd (decoupled) and `l2` is wd (not decoupled); the other is 1 or 0. `step` is lr / bc1,
 * `root` is √bc2.
 *
 *   p ← p · decay      g ← g + l2 · p
 *   m ← m + (1 − beta1) (g − m)      v ← beta2 · v + (1 − beta2) · g²
 *   p ← p − step · m / (√v / root + eps)
 */
export function adam(
  parameter: usize, gradient: usize, expAvg: usize, expAvgSq: usize, decay: f32, l2: f32,
  oneMinusBeta1: f32, beta2: f32, oneMinusBeta2: f32, step: f32, root: f32, eps: f32,
  begin: usize, end: usize,
): void {
  for (let i = begin; i < end; i += 4) {
    const at = i << 2;
    const left = end - i;
    let p = loadPart4(parameter + at, left);
    let g = loadPart4(gradient + at, left);
    let m = loadPart4(expAvg + at, left);
    let v = loadPart4(expAvgSq + at, left);
    p = f32x4.mul(p, all4(decay));
    if (l2 != 0.0) g = f32x4.add(g, f32x4.mul(p, all4(l2)));
    m = lerp4(m, g, oneMinusBeta1);
    v = f32x4.add(f32x4.mul(v, all4(beta2)), f32x4.mul(f32x4.mul(g, all4(oneMinusBeta2)), g));
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(v), all4(root)), all4(eps));
    p = f32x4.sub(p, f32x4.div(f32x4.mul(m, all4(step)), denominator));
    storePart4(parameter + at, p, left);
    storePart4(expAvg + at, m, left);
    storePart4(expAvgSq + at, v, left);
  }
}

/** From a to b by the share `weight`, computed from the nearer end as PyTorch's lerp. */
// @ts-ignore: decorator
@inline
function lerp4(a: v128, b: v128, weight: f32): v128 {
  const difference = f32x4.sub(b, a);
  if (weight < 0.5) return f32x4.add(a, f32x4.mul(difference, all4(weight)));
  return f32x4.sub(b, f32x4.mul(difference, all4(1.0 - weight)));
}

/**
 * SGD. `buffer` 0: no momentum. `first`: the buffer starts as the gradient itself.
 *
 *   g ← g + wd · p      b ← momentum · b + (1 − dampening) · g      g ← nesterov ? g + momentum · b : b
 *   p ← p − lr · g
 */
export function sgd(
  parameter: usize, gradient: usize, buffer: usize, learningRate: f32, momentum: f32, oneMinusDampening: f32,
  weightDecay: f32, nesterov: bool, first: bool, begin: usize, end: usize,
): void {
  for (let i = begin; i < end; i += 4) {
    const at = i << 2;
    const left = end - i;
    const p = loadPart4(parameter + at, left);
    let g = loadPart4(gradient + at, left);
    if (weightDecay != 0.0) g = f32x4.add(g, f32x4.mul(p, all4(weightDecay)));
    if (buffer) {
      let b = g;
      if (!first) {
        b = f32x4.mul(loadPart4(buffer + at, left), all4(momentum));
        b = f32x4.add(b, f32x4.mul(g, all4(oneMinusDampening)));
      }
      storePart4(buffer + at, b, left);
      g = nesterov ? f32x4.add(g, f32x4.mul(b, all4(momentum))) : b;
    }
    storePart4(parameter + at, f32x4.sub(p, f32x4.mul(g, all4(learningRate))), left);
  }
}
