/**
 * Normalisation per channel of `[batch, channels, length]` (BatchNorm), channels begin .. end. A row of the loops below is
 * the `length` neighbours of one channel; `[batch, channels]` is length 1.
 *
 *   z = (x − mean) · rstd      y = z · weight + bias      rstd = 1 / sqrt(variance + eps)
 *   dx = weight · rstd · (g − mean(g) − z · mean(g · z)), without the means where the moments are constants
 */
import { loadPart4, storePart4 } from './lanes';
import { all4, madd4, nmadd4 } from './math';
import { Sum } from './reduce-ops';
import { centeredSquares, weightedDot } from './row-moments';
import { sumOf } from './sums';

export function channelMoments(
  x: usize, mean: usize, variance: usize, batch: usize, channels: usize, length: usize, begin: usize, end: usize,
): void {
  const stride = (channels * length) << 2;
  const count = f64(batch * length);
  for (let c = begin; c < end; c++) {
    const first = x + ((c * length) << 2);
    let sum: f64 = 0.0;
    for (let b: usize = 0; b < batch; b++) sum += sumOf<Sum>(first + b * stride, length);
    const center = f32(sum / count);
    let squares: f64 = 0.0;
    for (let b: usize = 0; b < batch; b++) squares += centeredSquares(first + b * stride, length, center);
    store<f32>(mean + (c << 2), center);
    store<f32>(variance + (c << 2), f32(squares / count));
  }
}

/** The number of channel c at `pointer`, or `otherwise` where there is none (0). */
// @ts-ignore: decorator
@inline
export function perChannel(pointer: usize, c: usize, otherwise: f32): f32 {
  return pointer ? load<f32>(pointer + (c << 2)) : otherwise;
}

export function channelNorm(
  x: usize, mean: usize, variance: usize, weight: usize, bias: usize, y: usize,
  batch: usize, channels: usize, length: usize, eps: f64, begin: usize, end: usize,
): void {
  const stride = (channels * length) << 2;
  for (let c = begin; c < end; c++) {
    const rstd = 1.0 / sqrt(f64(load<f32>(variance + (c << 2))) + eps);
    const center = all4(load<f32>(mean + (c << 2)));
    const scale = all4(f32(rstd * f64(perChannel(weight, c, 1.0))));
    const shift = all4(perChannel(bias, c, 0.0));
    let at = (c * length) << 2;
    for (let b: usize = 0; b < batch; b++, at += stride) {
      for (let i: usize = 0; i < length; i += 4) {
        const centered = f32x4.sub(loadPart4(x + at + (i << 2), length - i), center);
        storePart4(y + at + (i << 2), madd4(centered, scale, shift), length - i);
      }
    }
  }
}

/** dweight and dbias are ADDED to; 0: not wanted. */
export function channelNormBackward(
  x: usize, mean: usize, variance: usize, weight: usize, g: usize, dx: usize, dweight: usize, dbias: usize,
  batch: usize, channels: usize, length: usize, eps: f64, batchMoments: bool, begin: usize, end: usize,
): void {
  const stride = (channels * length) << 2;
  const count = f64(batch * length);
  for (let c = begin; c < end; c++) {
    const first = (c * length) << 2;
    const center = load<f32>(mean + (c << 2));
    const rstd = 1.0 / sqrt(f64(load<f32>(variance + (c << 2))) + eps);
    let sum: f64 = 0.0; // Σ g
    let dot: f64 = 0.0; // Σ g · z
    for (let b: usize = 0, at = first; b < batch; b++, at += stride) {
      sum += sumOf<Sum>(g + at, length);
      dot += weightedDot(g + at, 0, x + at, length, center) * rstd;
    }
    if (dweight) store<f32>(dweight + (c << 2), f32(f64(load<f32>(dweight + (c << 2))) + dot));
    if (dbias) store<f32>(dbias + (c << 2), f32(f64(load<f32>(dbias + (c << 2))) + sum));
    const push = batchMoments ? f32(sum / count) : 0.0;
    const pull = batchMoments ? f32((dot * rstd) / count) : 0.0;
    const scale = f32(rstd * f64(perChannel(weight, c, 1.0)));
    for (let b: usize = 0, at = first; b < batch; b++, at += stride) {
      rowBackward(x + at, g + at, dx + at, length, center, scale, push, pull);
    }
  }
}

/** `dx = scale · (g − push − (x − center) · pull)`. */
function rowBackward(
  x: usize, g: usize, dx: usize, length: usize, center: f32, scale: f32, push: f32, pull: f32,
): void {
  for (let i: usize = 0; i < length; i += 4) {
    const at = i << 2;
    const centered = f32x4.sub(loadPart4(x + at, length - i), all4(center));
    const inner = nmadd4(centered, all4(pull), f32x4.sub(loadPart4(g + at, length - i), all4(push)));
    storePart4(dx + at, f32x4.mul(inner, all4(scale)), length - i);
  }
}
