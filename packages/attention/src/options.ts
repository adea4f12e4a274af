import type { HeadLayout } from '@burin/nn';
import type { Generator, Tensor } from '@burin/tensor';

/** Which keys a query sees, and what is added to its scores. B batch, H heads, T queries, S keys. */
export interface AttentionMasks {
  /** A query sees keys at its own position and before. Default false. */
  causal?: boolean;
  /** Only keys less than this many positions away; the query's own position counts. Null: no bound. */
  window?: number | null;
  /** Position of the first query; key j is at position j. Default 0: S − T where queries are the last tokens of a cache. */
  queryOffset?: number;
  /** uint8 `[B, S]`: 1 is a real token, 0 is padding that nobody sees. */
  keyPaddingMask?: Tensor | null;
  /** int32 `[B, T]`: tokens see their own segment only; two tensors where queries and keys are not the same tokens. */
  segments?: Tensor | { query: Tensor; key: Tensor } | null;
  /**
   * float32 `[1 or B, 1 or H, 1 or T, S]`, added to the scaled scores. Its gradient is computed if it needs one. −Infinity hides
   * a key. A number such as −1e9 for all keys of a query is no stand-in: float32 loses the sum that gradients are divided by.
   */
  bias?: Tensor | null;
  /** How many of the key and value tokens are in use; the rest is not read. Left out: all. */
  keys?: number;
  /** Factor on the scores. Default 1 / √D. */
  scale?: number | null;
}

/** How {@link scaledDotProductAttention} reads its operands, and what a query sees. */
export interface AttentionOptions extends AttentionMasks {
  /** Which axis counts tokens: `'bhtd'` as in PyTorch, `'bthd'` as projections give it, without a transposing copy. */
  layout: HeadLayout;
  /** Share of the probabilities that are dropped, in [0, 1). Default 0. */
  dropout?: number;
  /** Draws what is dropped; needed where `dropout` is not 0. */
  rng?: Generator | null;
}

/** The names of {@link AttentionOptions}. */
export const ATTENTION_OPTIONS = [
  'layout',
  'causal',
  'window',
  'queryOffset',
  'keyPaddingMask',
  'segments',
  'bias',
  'keys',
  'scale',
  'dropout',
  'rng',
];
