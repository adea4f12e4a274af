import { logSumExp } from './softmax.js';
import type { Floats } from './types.js';

/**
 * Cross entropy of each row of logits `[rows, cols]` with label t, and its gradient. PyTorch's cross_entropy, reduction
 * none, with label smoothing s (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567).
 *
 *     loss    = w[t]·(1 − s)·(lse − logits[t]) + s/cols · Σc w[c]·(lse − logits[c])
 *     dlogits = g · (w[t]·(1 − s)·(p − [c = t]) + s/cols · (p · Σ w − w))       p = exp(logits − lse)
 *
 * A row whose label is `ignoreIndex` has loss 0 and gradient 0.
 */
export function crossEntropy(
  logits: Floats,
  labels: Int32Array,
  classWeight: Floats | null,
  loss: Floats,
  lse: Floats,
  rows: number,
  cols: number,
  ignoreIndex: number,
  smoothing: number,
): void {
  const weight = (c: number) => (classWeight ? classWeight[c]! : 1);
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    const label = labels[row]!;
    const total = logSumExp(logits, start, cols);
    lse[row] = total;
    loss[row] = 0;
    if (label === ignoreIndex) continue;
    let smooth = 0;
    for (let c = 0; c < cols && smoothing > 0; c++) smooth += weight(c) * (total - logits[start + c]!);
    loss[row] = weight(label) * (1 - smoothing) * (total - logits[start + label]!) + (smoothing / cols) * smooth;
  }
}

export function crossEntropyBackward(
  logits: Floats,
  labels: Int32Array,
  classWeight: Floats | null,
  lse: Floats,
  g: Floats,
  dlogits: Floats,
  rows: number,
  cols: number,
  ignoreIndex: number,
  smoothing: number,
): void {
  const weight = (c: number) => (classWeight ? classWeight[c]! : 1);
  let weightSum = 0;
  for (let c = 0; c < cols; c++) weightSum += weight(c);
  for (let row = 0; row < rows; row++) {
    const label = labels[row]!;
    for (let c = 0; c < cols; c++) {
      const i = row * cols + c;
      const p = Math.exp(logits[i]! - lse[row]!);
      const hard = weight(label) * (p - (c === label ? 1 : 0));
      const smooth = (p * weightSum - weight(c)) / cols;
      dlogits[i] = label === ignoreIndex ? 0 : g[row]! * ((1 - smoothing) * hard + smoothing * smooth);
    }
  }
}
