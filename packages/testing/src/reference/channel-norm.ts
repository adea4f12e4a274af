import type { Floats } from './types.js';

/** Where each element of one channel of `[batch, channels, length]` lies. */
function* channelOffsets(channel: number, batch: number, channels: number, length: number): Generator<number> {
  for (let b = 0; b < batch; b++) {
    for (let l = 0; l < length; l++) yield (b * channels + channel) * length + l;
  }
}

/** Mean and biased variance of each channel of `[batch, channels, length]`, over batch and length. */
export function channelMoments(
  x: Floats,
  mean: Floats,
  variance: Floats,
  batch: number,
  channels: number,
  length: number,
): void {
  const count = batch * length;
  for (let channel = 0; channel < channels; channel++) {
    let sum = 0;
    for (const i of channelOffsets(channel, batch, channels, length)) sum += x[i]!;
    const center = sum / count;
    let squares = 0;
    for (const i of channelOffsets(channel, batch, channels, length)) squares += (x[i]! - center) ** 2;
    mean[channel] = center;
    variance[channel] = squares / count;
  }
}

/**
 * The normalization inside BatchNorm. Ioffe & Szegedy 2015, https://arxiv.org/abs/1502.03167.
 *
 *     r = 1 / sqrt(variance + eps)     n = (x − mean) · r     y = n · weight + bias
 */
export function channelNorm(
  x: Floats,
  mean: Floats,
  variance: Floats,
  weight: Floats | null,
  bias: Floats | null,
  y: Floats,
  batch: number,
  channels: number,
  length: number,
  eps: number,
): void {
  for (let channel = 0; channel < channels; channel++) {
    const r = 1 / Math.sqrt(variance[channel]! + eps);
    for (const i of channelOffsets(channel, batch, channels, length)) {
      const normalized = (x[i]! - mean[channel]!) * r;
      y[i] = normalized * (weight ? weight[channel]! : 1) + (bias ? bias[channel]! : 0);
    }
  }
}

/**
 * Gradient of channelNorm; the sums and means below run over batch and length.
 *
 *     dx = weight · r · (g − mean(g) − n · mean(g · n))     batchMoments: mean and variance came from this x
 *     dx = weight · r · g                                   otherwise: they are constants
 *     dweight += Σ g · n,  dbias += Σ g
 */
export function channelNormBackward(
  x: Floats,
  mean: Floats,
  variance: Floats,
  weight: Floats | null,
  g: Floats,
  dx: Floats,
  dweight: Floats | null,
  dbias: Floats | null,
  batch: number,
  channels: number,
  length: number,
  eps: number,
  batchMoments: boolean,
): void {
  const count = batch * length;
  for (let channel = 0; channel < channels; channel++) {
    const r = 1 / Math.sqrt(variance[channel]! + eps);
    const w = weight ? weight[channel]! : 1;
    const normalized = (i: number) => (x[i]! - mean[channel]!) * r;
    let sum = 0; // Σ g
    let dot = 0; // Σ g · n
    for (const i of channelOffsets(channel, batch, channels, length)) {
      sum += g[i]!;
      dot += g[i]! * normalized(i);
    }
    for (const i of channelOffsets(channel, batch, channels, length)) {
      const throughMoments = batchMoments ? sum / count + (normalized(i) * dot) / count : 0;
      dx[i] = w * r * (g[i]! - throughMoments);
    }
    if (dweight) dweight[channel]! += dot;
    if (dbias) dbias[channel]! += sum;
  }
}
