import { cat, matmul, scope, type Tensor } from '@burin/tensor';
import type { HeldTokens } from './key-value-cache.js';
import { scaledDotProductAttention } from './scaled-dot-product-attention.js';

/** Sizes of a head, and where the queries stand. */
export interface AbsorbedSettings {
  heads: number;
  nopeDim: number; // N
  ropeDim: number; // P
  valueDim: number; // V
  rank: number; // R
  scale: number;
  /** Position of the first query. */
  position: number;
  /** uint8 `[B, S]`, of all tokens that there were. */
  keyPaddingMask: Tensor | null;
}

/**
 * Latent attention over a cache of latents. `q · (W c) = (Wᵀ q) · c`, so that a head's queries go down to the latent's
 * width, all heads attend to the latents themselves as one head of keys and values, and the sums come up again:
 *
 *     out_h = Wv_h · Σ softmax(scale · [Wk_hᵀ q_h, q_turned] · [c, k_turned]) c
 *
 * @param q - `[B, T, H, N + P]`
 * @param weight - `[H · (N + V), R]`: of each head Wk, then Wv
 * @param held - latents `[B, S, 1, R]` as keys, turned parts `[B, S, 1, P]` as values; of all tokens from the first on
 * @returns `[B, T, H, V]`
 * @see DeepSeek-AI 2024, section 2.1.2 and appendix B, https://arxiv.org/abs/2405.04434
 */
export function absorbedAttention(q: Tensor, weight: Tensor, held: HeldTokens, settings: AbsorbedSettings): Tensor {
  const { heads, nopeDim, ropeDim, valueDim, rank, scale, position, keyPaddingMask } = settings;
  const { count } = held;
  return scope(() => {
    const matrices = weight.reshape([heads, nopeDim + valueDim, rank]);
    const latents = held.keys.narrow(1, 0, count); // [B, S, 1, R]
    const keys = cat([latents, held.values.narrow(1, 0, count)], 3); // [B, S, 1, R + P]
    const down = eachHead(q.narrow(3, 0, nopeDim), matrices.narrow(1, 0, nopeDim), false); // [B, T, H, R]
    const queries = cat([down, q.narrow(3, nopeDim, ropeDim)], 3);
    const sums = scaledDotProductAttention(queries, keys, latents, {
      ...{ layout: 'bthd', causal: true, scale, queryOffset: position, keyPaddingMask },
    }); // [B, T, H, R]
    return eachHead(sums, matrices.narrow(1, nopeDim, valueDim), true);
  });
}

/** Each head's rows times its own matrix: `[B, T, H, D]` and `[H, D, E]`, or `[H, E, D]` transposed, to `[B, T, H, E]`. */
function eachHead(x: Tensor, matrices: Tensor, transposeB: boolean): Tensor {
  const [B, T, H, D] = x.shape as [number, number, number, number];
  const rows = x.permute([2, 0, 1, 3]).reshape([H, B * T, D]);
  return matmul(rows, matrices, { transposeB }).reshape([H, B, T, -1]).permute([1, 2, 0, 3]);
}
