/**
 * channel-norm.ts for rows so short that they do not fill the lanes, as in `[batch, channels]` (length 1). Each of the
 * `length` neighbours of a channel is a column, lanes are columns, and x is read in the order it lies in. `work` holds what
 * a column needs: numbers of its channel, repeated, and its sums.
 */
import { perChannel } from './channel-norm';
import { addProducts, addSquares, addValues } from './column-sums';
import { loadPart4, storePart4 } from './lanes';
import { madd4, nmadd4 } from './math';

/** Channels of one unit: their columns fill whole cache lines, so that no two units share one. */
const STRIP: usize = 16;

/** Bytes of `work` a column: MOMENTS_WORK and so on in src/cpu/channel-norm.ts. */
const MOMENTS_WORK: usize = 12;
const NORM_WORK: usize = 12;
const BACKWARD_WORK: usize = 32;

/** Strips begin .. end of channels. */
export function columnMoments(
  x: usize, mean: usize, variance: usize, work: usize, batch: usize, channels: usize, length: usize,
  begin: usize, end: usize,
): void {
  const first = begin * STRIP;
  const count = min<usize>(end * STRIP, channels) - first;
  const columns = count * length;
  const stride = (channels * length) << 2;
  const terms = f64(batch * length);
  const centers = work + first * length * MOMENTS_WORK;
  const sums = centers + floatsBytes(columns);
  x += (first * length) << 2;
  mean += first << 2;
  variance += first << 2;
  memory.fill(sums, 0, floatsBytes(columns) << 1);
  addValues(x, stride, batch, columns, sums);
  for (let c: usize = 0; c < count; c++) {
    const center = f32(channelSum(sums, c, length) / terms);
    store<f32>(mean + (c << 2), center);
    spread(center, centers, c, length);
  }
  memory.fill(sums, 0, floatsBytes(columns) << 1);
  addSquares(x, centers, stride, batch, columns, sums);
  for (let c: usize = 0; c < count; c++) store<f32>(variance + (c << 2), f32(channelSum(sums, c, length) / terms));
}

/** Strips begin .. end of channels. */
export function columnNorm(
  x: usize, mean: usize, variance: usize, weight: usize, bias: usize, y: usize, work: usize,
  batch: usize, channels: usize, length: usize, eps: f64, begin: usize, end: usize,
): void {
  const first = begin * STRIP;
  const last = min<usize>(end * STRIP, channels);
  const columns = (last - first) * length;
  const centers = work + first * length * NORM_WORK;
  const scales = centers + floatsBytes(columns);
  const shifts = scales + floatsBytes(columns);
  for (let c = first; c < last; c++) {
    const rstd = 1.0 / sqrt(f64(load<f32>(variance + (c << 2))) + eps);
    spread(load<f32>(mean + (c << 2)), centers, c - first, length);
    spread(f32(rstd * f64(perChannel(weight, c, 1.0))), scales, c - first, length);
    spread(perChannel(bias, c, 0.0), shifts, c - first, length);
  }
  for (let row: usize = 0; row < batch; row++) {
    const at = ((row * channels + first) * length) << 2;
    let i: usize = 0;
    for (; i + 4 <= columns; i += 4) normalizeFour(x + at, y + at, centers, scales, shifts, i << 2, 4);
    if (i < columns) normalizeFour(x + at, y + at, centers, scales, shifts, i << 2, columns - i);
  }
}

/** `y = (x − center) · scale + shift` of the `left` (1 .. 4) columns from `offset` bytes on. */
// @ts-ignore: decorator
@inline
function normalizeFour(
  x: usize, y: usize, centers: usize, scales: usize, shifts: usize, offset: usize, left: usize,
): void {
  const centered = f32x4.sub(loadPart4(x + offset, left), v128.load(centers + offset));
  storePart4(y + offset, madd4(centered, v128.load(scales + offset), v128.load(shifts + offset)), left);
}

/** Strips begin .. end of channels. dweight and dbias are ADDED to; 0: not wanted. */
export function columnNormBackward(
  x: usize, mean: usize, variance: usize, weight: usize, g: usize, dx: usize, dweight: usize, dbias: usize, work: usize,
  batch: usize, channels: usize, length: usize, eps: f64, batchMoments: bool, begin: usize, end: usize,
): void {
  const first = begin * STRIP;
  const last = min<usize>(end * STRIP, channels);
  const columns = (last - first) * length;
  const stride = (channels * length) << 2;
  const terms = f64(batch * length);
  const bytes = floatsBytes(columns);
  const centers = work + first * length * BACKWARD_WORK;
  const scales = centers + bytes;
  const pushes = scales + bytes;
  const pulls = pushes + bytes;
  const sums = pulls + bytes; // Σ g
  const dots = sums + (bytes << 1); // Σ g · (x − mean)
  const from = (first * length) << 2;
  for (let c = first; c < last; c++) spread(load<f32>(mean + (c << 2)), centers, c - first, length);
  memory.fill(sums, 0, bytes << 2);
  addProducts(g + from, x + from, centers, stride, batch, columns, sums, dots);
  for (let c = first; c < last; c++) {
    const rstd = 1.0 / sqrt(f64(load<f32>(variance + (c << 2))) + eps);
    const sum = channelSum(sums, c - first, length);
    const dot = channelSum(dots, c - first, length) * rstd; // Σ g · z
    if (dweight) store<f32>(dweight + (c << 2), f32(f64(load<f32>(dweight + (c << 2))) + dot));
    if (dbias) store<f32>(dbias + (c << 2), f32(f64(load<f32>(dbias + (c << 2))) + sum));
    spread(f32(rstd * f64(perChannel(weight, c, 1.0))), scales, c - first, length);
    spread(batchMoments ? f32(sum / terms) : 0.0, pushes, c - first, length);
    spread(batchMoments ? f32((dot * rstd) / terms) : 0.0, pulls, c - first, length);
  }
  gradientRows(x + from, g + from, dx + from, centers, stride, batch, columns);
}

/** dx of `rows` rows that are `stride` bytes apart. Behind `centers`: scales, pushes and pulls. */
function gradientRows(
  x: usize, g: usize, dx: usize, centers: usize, stride: usize, rows: usize, columns: usize,
): void {
  const bytes = floatsBytes(columns);
  for (let row: usize = 0, at: usize = 0; row < rows; row++, at += stride) {
    let i: usize = 0;
    for (; i + 4 <= columns; i += 4) gradientOfFour(x + at, g + at, dx + at, centers, bytes, i << 2, 4);
    if (i < columns) gradientOfFour(x + at, g + at, dx + at, centers, bytes, i << 2, columns - i);
  }
}

/** `dx = scale · (g − push − (x − center) · pull)` of the `left` (1 .. 4) columns from `offset` bytes on. */
// @ts-ignore: decorator
@inline
function gradientOfFour(x: usize, g: usize, dx: usize, centers: usize, bytes: usize, offset: usize, left: usize): void {
  const scales = centers + bytes;
  const pushes = scales + bytes;
  const pulls = pushes + bytes;
  const centered = f32x4.sub(loadPart4(x + offset, left), v128.load(centers + offset));
  const pushed = f32x4.sub(loadPart4(g + offset, left), v128.load(pushes + offset));
  const inner = nmadd4(centered, v128.load(pulls + offset), pushed);
  storePart4(dx + offset, f32x4.mul(inner, v128.load(scales + offset)), left);
}

/** The bytes of whole vectors that hold a float32 a column. */
// @ts-ignore: decorator
@inline
function floatsBytes(columns: usize): usize {
  return ((columns + 3) & ~3) << 2;
}

/** `value` to each column of channel c. */
function spread(value: f32, to: usize, c: usize, length: usize): void {
  to += (c * length) << 2;
  for (let i: usize = 0; i < length; i++) store<f32>(to + (i << 2), value);
}

/** The sum of the float64 sums of the columns of channel c. */
function channelSum(sums: usize, c: usize, length: usize): f64 {
  sums += (c * length) << 3;
  let sum: f64 = 0.0;
  for (let i: usize = 0; i < length; i++) sum += load<f64>(sums + (i << 3));
  return sum;
}
