import type { DeviceBuffer } from '../device.js';

/** Losses over rows of logits. */
export interface LossKernels {
  /**
   * Each row of logits `[rows, cols]` with label t: `lse = log Σ exp(logits)`,
   * `loss = w[t]·(1 − smoothing)·(lse − logits[t]) + smoothing/cols · Σc w[c]·(lse − logits[c])`.
   * A row whose label is `ignoreIndex` has loss 0. classWeight null means 1. PyTorch's cross_entropy, reduction none.
   */
  crossEntropy(
    logits: DeviceBuffer,
    labels: DeviceBuffer, // [rows] int32
    classWeight: DeviceBuffer | null, // [cols]
    loss: DeviceBuffer, // [rows]
    lse: DeviceBuffer, // [rows], kept for the backward pass
    rows: number,
    cols: number,
    ignoreIndex: number,
    smoothing: number,
  ): void;

  /** `dlogits` from `g` `[rows]`, the gradient of each row's loss; ignored rows get 0. dlogits may be logits. */
  crossEntropyBackward(
    logits: DeviceBuffer,
    labels: DeviceBuffer,
    classWeight: DeviceBuffer | null,
    lse: DeviceBuffer,
    g: DeviceBuffer,
    dlogits: DeviceBuffer,
    rows: number,
    cols: number,
    ignoreIndex: number,
    smoothing: number,
  ): void;

  /** `loss = (1 − t)·x + (1 + (p − 1)·t)·log(1 + exp(−x))`, stable; posWeight p is `[cols]` or null (1). */
  bceWithLogits(
    logits: DeviceBuffer,
    target: DeviceBuffer,
    posWeight: DeviceBuffer | null,
    loss: DeviceBuffer,
    rows: number,
    cols: number,
  ): void;

  bceWithLogitsBackward(
    logits: DeviceBuffer,
    target: DeviceBuffer,
    posWeight: DeviceBuffer | null,
    g: DeviceBuffer,
    dlogits: DeviceBuffer,
    rows: number,
    cols: number,
  ): void;
}
