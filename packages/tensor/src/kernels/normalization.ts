import type { DeviceBuffer } from '../device.js';

/** Norms and softmax over rows. */
export interface NormalizationKernels {
  /**
   * Each row: `rstd = 1 / sqrt(mean(x²) + eps)`, `y = x · rstd · weight`. weight null means 1.
   * Zhang & Sennrich 2019, https://arxiv.org/abs/1910.07467.
   */
  rmsNorm(
    x: DeviceBuffer,
    weight: DeviceBuffer | null,
    y: DeviceBuffer,
    rstd: DeviceBuffer, // [rows], kept for the backward pass
    rows: number,
    cols: number,
    eps: number,
  ): void;

  /** `dx = rstd · (g·w − x · rstd² · mean(g·w·x))`; `dweight += Σrows g · x · rstd` (ADDED; null: not wanted). */
  rmsNormBackward(
    x: DeviceBuffer,
    weight: DeviceBuffer | null,
    rstd: DeviceBuffer,
    g: DeviceBuffer,
    dx: DeviceBuffer,
    dweight: DeviceBuffer | null,
    rows: number,
    cols: number,
  ): void;

  /** Each row: `y = (x − mean) · rstd · weight + bias`, rstd from the biased variance (two passes, no cancellation). */
  layerNorm(
    x: DeviceBuffer,
    weight: DeviceBuffer | null,
    bias: DeviceBuffer | null,
    y: DeviceBuffer,
    mean: DeviceBuffer, // [rows]
    rstd: DeviceBuffer, // [rows]
    rows: number,
    cols: number,
    eps: number,
  ): void;

  /** `dx` overwritten; `dweight`, `dbias` ADDED to (null: not wanted). */
  layerNormBackward(
    x: DeviceBuffer,
    weight: DeviceBuffer | null,
    mean: DeviceBuffer,
    rstd: DeviceBuffer,
    g: DeviceBuffer,
    dx: DeviceBuffer,
    dweight: DeviceBuffer | null,
    dbias: DeviceBuffer | null,
    rows: number,
    cols: number,
  ): void;

  /** Mean and biased variance of each channel of `[batch, channels, length]`, over batch and length. */
  channelMoments(
    x: DeviceBuffer,
    mean: DeviceBuffer,
    variance: DeviceBuffer,
    batch: number,
    channels: number,
    length: number,
  ): void;

  /** `y = (x − mean) / sqrt(variance + eps) · weight + bias`, per channel of `[batch, channels, length]`. */
  channelNorm(
    x: DeviceBuffer,
    mean: DeviceBuffer,
    variance: DeviceBuffer,
    weight: DeviceBuffer | null,
    bias: DeviceBuffer | null,
    y: DeviceBuffer,
    batch: number,
    channels: number,
    length: number,
    eps: number,
  ): void;

  /**
   * Gradient of channelNorm. `batchMoments`: mean and variance came from this x, so the gradient flows through them;
   * otherwise they are constants. `dweight`, `dbias` ADDED to (null: not wanted).
   */
  channelNormBackward(
    x: DeviceBuffer,
    mean: DeviceBuffer,
    variance: DeviceBuffer,
    weight: DeviceBuffer | null,
    g: DeviceBuffer,
    dx: DeviceBuffer,
    dweight: DeviceBuffer | null,
    dbias: DeviceBuffer | null,
    batch: number,
    channels: number,
    length: number,
    eps: number,
    batchMoments: boolean,
  ): void;
}
