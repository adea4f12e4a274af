import { sigmoid, softplus } from './special-functions.js';
import type { Floats } from './types.js';

/**
 * Binary cross entropy on logits `[rows, cols]`, and its gradient. PyTorch's binary_cross_entropy_with_logits.
 *
 *     loss    = (1 − t)·x + (1 + (p − 1)·t)·log(1 + exp(−x))       p = posWeight[col], null: 1
 *     dlogits = g · ((1 − t) − (1 + (p − 1)·t)·sigmoid(−x))
 */
export function bceWithLogits(
  logits: Floats,
  target: Floats,
  posWeight: Floats | null,
  loss: Floats,
  rows: number,
  cols: number,
): void {
  for (let i = 0; i < rows * cols; i++) {
    const [x, t] = [logits[i]!, target[i]!];
    const factor = 1 + ((posWeight ? posWeight[i % cols]! : 1) - 1) * t;
    loss[i] = (1 - t) * x + factor * softplus(-x);
  }
}

export function bceWithLogitsBackward(
  logits: Floats,
  target: Floats,
  posWeight: Floats | null,
  g: Floats,
  dlogits: Floats,
  rows: number,
  cols: number,
): void {
  for (let i = 0; i < rows * cols; i++) {
    const [x, t] = [logits[i]!, target[i]!];
    const factor = 1 + ((posWeight ? posWeight[i % cols]! : 1) - 1) * t;
    dlogits[i] = g[i]! * (1 - t - factor * sigmoid(-x));
  }
}
