import type { Floats } from './types.js';

/**
 * LayerNorm over rows, and its gradient. Ba et al. 2016, https://arxiv.org/abs/1607.06450.
 *
 *     rstd = 1 / sqrt(mean((x − mean)²) + eps)
 *     n    = (x − mean) · rstd
 *     y    = n · weight + bias                            null: 1 and 0
 *     dx   = rstd · (w − mean(w) − n · mean(w · n))       with w = g · weight
 *     dweight += Σrows g · n,  dbias += Σrows g           null: not wanted
 */
export function layerNorm(
  x: Floats,
  weight: Floats | null,
  bias: Floats | null,
  y: Floats,
  mean: Floats,
  rstd: Floats,
  rows: number,
  cols: number,
  eps: number,
): void {
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    let sum = 0;
    for (let c = 0; c < cols; c++) sum += x[start + c]!;
    const center = sum / cols;
    let squares = 0;
    for (let c = 0; c < cols; c++) squares += (x[start + c]! - center) ** 2;
    const r = 1 / Math.sqrt(squares / cols + eps);
    mean[row] = center;
    rstd[row] = r;
    for (let c = 0; c < cols; c++) {
      const normalized = (x[start + c]! - center) * r;
      y[start + c] = normalized * (weight ? weight[c]! : 1) + (bias ? bias[c]! : 0);
    }
  }
}

export function layerNormBackward(
  x: Floats,
  weight: Floats | null,
  mean: Floats,
  rstd: Floats,
  g: Floats,
  dx: Floats,
  dweight: Floats | null,
  dbias: Floats | null,
  rows: number,
  cols: number,
): void {
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    const weighted = (c: number) => g[start + c]! * (weight ? weight[c]! : 1);
    const normalized = (c: number) => (x[start + c]! - mean[row]!) * rstd[row]!;
    let sum = 0; // Σ w
    let dot = 0; // Σ w · n
    for (let c = 0; c < cols; c++) {
      sum += weighted(c);
      dot += weighted(c) * normalized(c);
    }
    for (let c = 0; c < cols; c++) {
      dx[start + c] = rstd[row]! * (weighted(c) - sum / cols - (normalized(c) * dot) / cols);
      if (dweight) dweight[c]! += g[start + c]! * normalized(c);
      if (dbias) dbias[c]! += g[start + c]!;
    }
  }
}
