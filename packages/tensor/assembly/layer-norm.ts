/**
 * LayerNorm over rows of `cols`.
 *
 *   y = (x − mean) · rstd · weight + bias      z = (x − mean) · rstd
 *   dx = rstd · (g·w − mean(g·w) − z · mean(g·w·z))      dweight = Σrows g · z      dbias = Σrows g
 */
import { loadPart4, storePart4, weightPart4 } from './lanes';
import { all4, madd4, nmadd4 } from './math';
import { Sum } from './reduce-ops';
import { CHUNK_ROWS } from './rms-norm';
import { centeredSquares, weightedDot, weightedSum } from './row-moments';
import { sumOf } from './sums';

/** Rows begin .. end; weight 0 means 1, bias 0 means 0. The variance is taken around the mean, in a second pass. */
export function layerNorm(
  x: usize, weight: usize, bias: usize, y: usize, mean: usize, rstd: usize, cols: usize, eps: f64,
  begin: usize, end: usize,
): void {
  for (let row = begin; row < end; row++) {
    const start = (row * cols) << 2;
    const center = f32(sumOf<Sum>(x + start, cols) / f64(cols));
    const scale = f32(1.0 / sqrt(centeredSquares(x + start, cols, center) / f64(cols) + eps));
    store<f32>(mean + (row << 2), center);
    store<f32>(rstd + (row << 2), scale);
    normalizeRow(x + start, weight, bias, y + start, center, scale, cols);
  }
}

function normalizeRow(x: usize, weight: usize, bias: usize, y: usize, center: f32, scale: f32, cols: usize): void {
  const centers = all4(center);
  const scales = all4(scale);
  for (let i: usize = 0; i < cols; i += 4) {
    const at = i << 2;
    const left = cols - i;
    const z = f32x4.mul(f32x4.sub(loadPart4(x + at, left), centers), scales);
    const shift = bias ? loadPart4(bias + at, left) : all4(0.0);
    storePart4(y + at, madd4(z, weightPart4(weight, at, left), shift), left);
  }
}

/** Chunks of 64 rows begin .. end. dweight and dbias as in rmsNormBackward; 0: not wanted. */
export function layerNormBackward(
  x: usize, weight: usize, mean: usize, rstd: usize, g: usize, dx: usize, dweight: usize, dbias: usize,
  rows: usize, cols: usize, begin: usize, end: usize,
): void {
  for (let chunk = begin; chunk < end; chunk++) {
    const weightSums = dweight ? dweight + ((chunk * cols) << 2) : 0;
    const biasSums = dbias ? dbias + ((chunk * cols) << 2) : 0;
    if (weightSums) memory.fill(weightSums, 0, cols << 2);
    if (biasSums) memory.fill(biasSums, 0, cols << 2);
    const stop = min<usize>(rows, (chunk + 1) * CHUNK_ROWS);
    for (let row = chunk * CHUNK_ROWS; row < stop; row++) {
      const start = (row * cols) << 2;
      const center = load<f32>(mean + (row << 2));
      const scale = load<f32>(rstd + (row << 2));
      rowBackward(x + start, weight, center, scale, g + start, dx + start, weightSums, biasSums, cols);
    }
  }
}

function rowBackward(
  x: usize, weight: usize, center: f32, scale: f32, g: usize, dx: usize, dweight: usize, dbias: usize, cols: usize,
): void {
  const push = all4(f32(weightedSum(g, weight, cols) / f64(cols)));
  const pull = all4(f32((weightedDot(g, weight, x, cols, center) * f64(scale)) / f64(cols)));
  const centers = all4(center);
  const scales = all4(scale);
  for (let i: usize = 0; i < cols; i += 4) {
    const at = i << 2;
    const left = cols - i;
    const z = f32x4.mul(f32x4.sub(loadPart4(x + at, left), centers), scales);
    const upstream = loadPart4(g + at, left);
    const scaled = f32x4.mul(upstream, weightPart4(weight, at, left));
    const inner = nmadd4(z, pull, f32x4.sub(scaled, push));
    storePart4(dx + at, f32x4.mul(scales, inner), left);
    if (dweight) storePart4(dweight + at, madd4(upstream, z, loadPart4(dweight + at, left)), left);
    if (dbias) storePart4(dbias + at, f32x4.add(loadPart4(dbias + at, left), upstream), left);
  }
}

/** `y += Σrows x` for columns begin .. end of `[rows, cols]`: joins the partial sums of a backward pass, in float64. */
export function addColumnSums(x: usize, y: usize, rows: usize, cols: usize, begin: usize, end: usize): void {
  for (let c = begin; c < end; c++) {
    let sum: f64 = 0.0;
    for (let row: usize = 0; row < rows; row++) sum += f64(load<f32>(x + ((row * cols + c) << 2)));
    store<f32>(y + (c << 2), f32(f64(load<f32>(y + (c << 2))) + sum));
  }
}
