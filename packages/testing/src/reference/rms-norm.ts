import type { Floats } from './types.js';

/**
 * RMSNorm over rows, and its gradient. Zhang & Sennrich 2019, https://arxiv.org/abs/1910.07467.
 *
 *     rstd = 1 / sqrt(mean(x²) + eps)                     one number a row
 *     y    = x · rstd · weight                            weight null: 1
 *     dx   = rstd · (g · weight − x · rstd² · mean(g · weight · x))
 *     dweight += Σrows g · x · rstd                       null: not wanted
 */
export function rmsNorm(
  x: Floats,
  weight: Floats | null,
  y: Floats,
  rstd: Floats,
  rows: number,
  cols: number,
  eps: number,
): void {
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    let sum = 0;
    for (let c = 0; c < cols; c++) sum += x[start + c]! ** 2;
    const r = 1 / Math.sqrt(sum / cols + eps);
    rstd[row] = r;
    for (let c = 0; c < cols; c++) y[start + c] = x[start + c]! * r * (weight ? weight[c]! : 1);
  }
}

export function rmsNormBackward(
  x: Floats,
  weight: Floats | null,
  rstd: Floats,
  g: Floats,
  dx: Floats,
  dweight: Floats | null,
  rows: number,
  cols: number,
): void {
  for (let row = 0; row < rows; row++) {
    const start = row * cols;
    const r = rstd[row]!;
    const weighted = (c: number) => g[start + c]! * (weight ? weight[c]! : 1);
    let dot = 0; // Σ g · weight · x
    for (let c = 0; c < cols; c++) dot += weighted(c) * x[start + c]!;
    const pull = (r * r * dot) / cols;
    for (let c = 0; c < cols; c++) {
      dx[start + c] = r * (weighted(c) - x[start + c]! * pull);
      if (dweight) dweight[c]! += g[start + c]! * x[start + c]! * r;
    }
  }
}
