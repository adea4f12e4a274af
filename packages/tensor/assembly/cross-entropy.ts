/**
 * Cross entropy over rows of logits, with label smoothing s and class weights w (0: all 1); rows begin .. end.
 *
 *   lse = log Σ exp(logits)      loss = w[t] (1 − s) (lse − logits[t]) + s/cols · Σc w[c] (lse − logits[c])
 *   dlogits[c] = g · (softmax[c] · (w[t] (1 − s) + s/cols · Σ w) − [c = t] w[t] (1 − s) − s/cols · w[c])
 *
 * A row whose label is `ignore` has loss 0 and gradient 0. One whose label is no class has loss NaN and gradient NaN, so
 * that the mistake is seen.
 */
import { loadPart4, loadTail4, storePart4, storeTail4, weightPart4 } from './lanes';
import { all4, expNonPositive4, madd4 } from './math';
import { Sum } from './reduce-ops';
import { weightedSum } from './row-moments';
import { exponentials, logOf, rowMax } from './softmax';
import { sumOf } from './sums';

export function crossEntropy(
  logits: usize, labels: usize, classWeight: usize, loss: usize, lse: usize,
  cols: usize, ignore: i32, smoothing: f64, begin: usize, end: usize,
): void {
  const weightTotal = classWeight ? sumOf<Sum>(classWeight, cols) : f64(cols);
  for (let row = begin; row < end; row++) {
    const x = logits + ((row * cols) << 2);
    const logSum = logSumExp(x, cols);
    store<f32>(lse + (row << 2), logSum);
    const label = load<i32>(labels + (row << 2));
    let value: f64 = 0.0;
    if (label != ignore) {
      value = isClass(label, cols) ? (1.0 - smoothing) * targetLoss(x, classWeight, label, logSum) : NaN;
      if (smoothing > 0.0) {
        const others = f64(logSum) * weightTotal - weightedSum(x, classWeight, cols);
        value += (smoothing / f64(cols)) * others;
      }
    }
    store<f32>(loss + (row << 2), f32(value));
  }
}

/** `log Σ exp(x)`: -∞ for a row of only -∞; NaN for one with NaN or +∞, as the softmax of such a row. */
function logSumExp(x: usize, cols: usize): f32 {
  const largest = rowMax(x, cols);
  if (largest == -Infinity) return f32(sumOf<Sum>(x, cols));
  return largest + logOf(exponentials(x, 0, cols, largest));
}

// @ts-ignore: decorator
@inline
function isClass(label: i32, cols: usize): bool {
  return label >= 0 && usize(label) < cols;
}

/** `w[t] (lse − x[t])`. */
// @ts-ignore: decorator
@inline
function targetLoss(x: usize, classWeight: usize, label: i32, logSum: f32): f64 {
  return classWeightOf(classWeight, label) * (f64(logSum) - f64(load<f32>(x + (usize(label) << 2))));
}

// @ts-ignore: decorator
@inline
function classWeightOf(classWeight: usize, label: i32): f64 {
  return classWeight ? f64(load<f32>(classWeight + (usize(label) << 2))) : 1.0;
}

export function crossEntropyBackward(
  logits: usize, labels: usize, classWeight: usize, lse: usize, g: usize, dlogits: usize,
  cols: usize, ignore: i32, smoothing: f64, begin: usize, end: usize,
): void {
  const share = smoothing / f64(cols);
  const weightTotal = classWeight ? sumOf<Sum>(classWeight, cols) : f64(cols);
  for (let row = begin; row < end; row++) {
    const start = (row * cols) << 2;
    const label = load<i32>(labels + (row << 2));
    if (label == ignore) {
      memory.fill(dlogits + start, 0, cols << 2);
      continue;
    }
    const upstream = f64(load<f32>(g + (row << 2)));
    const target = isClass(label, cols) ? upstream * (1.0 - smoothing) * classWeightOf(classWeight, label) : NaN;
    const total = target + upstream * share * weightTotal;
    softmaxRow(logits + start, classWeight, dlogits + start, cols, load<f32>(lse + (row << 2)), f32(total), f32(upstream * share));
    if (!isClass(label, cols)) continue;
    const hit = dlogits + start + (usize(label) << 2);
    store<f32>(hit, f32(f64(load<f32>(hit)) - target));
  }
}

/** `dx = total · exp(x − lse) − share · w`. */
function softmaxRow(x: usize, classWeight: usize, dx: usize, cols: usize, lse: f32, total: f32, share: f32): void {
  if (share != 0.0) smoothedRow(x, classWeight, dx, cols, lse, total, share);
  else plainRow(x, dx, cols, lse, total);
}

function smoothedRow(x: usize, classWeight: usize, dx: usize, cols: usize, lse: f32, total: f32, share: f32): void {
  for (let i: usize = 0; i < cols; i += 4) {
    const at = i << 2;
    const part = scaledExp(loadPart4(x + at, cols - i), lse, total);
    storePart4(dx + at, madd4(all4(-share), weightPart4(classWeight, at, cols - i), part), cols - i);
  }
}

function plainRow(x: usize, dx: usize, cols: usize, lse: f32, total: f32): void {
  const end = x + ((cols & ~3) << 2);
  for (; x < end; x += 16) {
    v128.store(dx, scaledExp(v128.load(x), lse, total));
    dx += 16;
  }
  const rest = cols & 3;
  if (rest) storeTail4(dx, scaledExp(loadTail4(x, rest), lse, total), rest);
}

/** `factor · exp(x − shift)`. */
// @ts-ignore: decorator
@inline
function scaledExp(x: v128, shift: f32, factor: f32): v128 {
  return f32x4.mul(all4(factor), expNonPositive4(f32x4.sub(x, all4(shift))));
}
