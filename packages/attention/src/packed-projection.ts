import { Linear, Parameter } from '@burin/nn';
import { noGrad, ShapeError, type Tensor } from '@burin/tensor';

/** The parts of a packed projection, as Linears take them. */
export interface SplitProjection {
  qProj: Linear;
  kProj: Linear;
  vProj: Linear;
}

/**
 * Splits projections of queries, keys and values that are stacked along the rows of one weight, as PyTorch's
 * `MultiheadAttention` (`in_proj_weight`) and some checkpoints (`qkv_proj`) hold them. Copies.
 *
 * @param weight - `[Q + K + V, in]`
 * @param bias - `[Q + K + V]`, or null
 * @param options.widths - Q, K and V; left out: a third each
 * @throws ShapeError if the weight or the bias has not so many rows
 * @example
 * const attention = new MultiHeadAttention({ ...fromPackedProjection(weight, bias), oProj, heads: 4 });
 */
export function fromPackedProjection(
  weight: Tensor,
  bias: Tensor | null = null,
  { widths }: { widths?: readonly [q: number, k: number, v: number] } = {},
): SplitProjection {
  const rows = weight.shape[0] ?? 0;
  const [q, k, v] = widths ?? [rows / 3, rows / 3, rows / 3];
  if (
    weight.shape.length !== 2 ||
    q + k + v !== rows ||
    ![q, k, v].every((width) => Number.isInteger(width) && width > 0)
  ) {
    throw new ShapeError(
      `fromPackedProjection: the weight must be [${widths ? q + k + v : '3 · width'}, in], got [${weight.shape}]`,
    );
  }
  if (bias && `${bias.shape}` !== `${rows}`) {
    throw new ShapeError(
      `fromPackedProjection: the bias must have the weight's rows: expected [${rows}], got [${bias.shape}]`,
    );
  }
  const piece = (start: number, width: number) => {
    const rowsOf = (packed: Tensor) => new Parameter(noGrad(() => packed.narrow(0, start, width)));
    return Linear.from(rowsOf(weight), bias && rowsOf(bias));
  };
  return { qProj: piece(0, q), kProj: piece(q, k), vProj: piece(q + k, v) };
}
