import { dirty, normals } from './inputs.js';
import type { reference } from './reference-forward.js';

type AttentionArguments = reference.AttentionArguments;

/** What a test chooses; everything else is full attention over packed `[B, T, H, D]` tensors. */
export interface AttentionCase extends Partial<AttentionArguments> {
  batch?: number;
  heads?: number;
  kvHeads?: number;
  queries?: number;
  keys?: number;
  headDim?: number;
  valueDim?: number;
}

/** Strides of a `[batch, tokens, heads, size]` tensor, as a projection leaves it. */
export function tokensFirst(tokens: number, heads: number, size: number): reference.HeadStrides {
  return { batch: tokens * heads * size, head: size, token: heads * size };
}

/** Strides of a `[batch, heads, tokens, size]` tensor, as a cache and the fixtures have it. */
export function headsFirst(tokens: number, heads: number, size: number): reference.HeadStrides {
  return { batch: tokens * heads * size, head: tokens * size, token: size };
}

export function attentionArguments(options: AttentionCase): AttentionArguments {
  const {
    batch = 2,
    heads = 2,
    kvHeads = heads,
    queries = 5,
    keys = queries,
    headDim = 4,
    valueDim = headDim,
  } = options;
  const sizes = { batch, heads, kvHeads, queries, keys, headDim, valueDim };
  return {
    q: normals(batch * queries * heads * headDim, 1),
    k: normals(batch * keys * kvHeads * headDim, 2),
    v: normals(batch * keys * kvHeads * valueDim, 3),
    out: dirty(batch * queries * heads * valueDim),
    lse: dirty(batch * heads * queries),
    qStrides: tokensFirst(queries, heads, headDim),
    kStrides: tokensFirst(keys, kvHeads, headDim),
    vStrides: tokensFirst(keys, kvHeads, valueDim),
    outStrides: tokensFirst(queries, heads, valueDim),
    ...{ scale: 1 / Math.sqrt(headDim), windowLeft: -1, windowRight: -1, queryOffset: 0 },
    ...{ keyMask: null, querySegments: null, keySegments: null, bias: null },
    biasStrides: { batch: 0, head: 0, token: 0 },
    ...{ dropout: 0, stream: null },
    ...options,
    ...sizes,
  };
}

/** Gradients to fill: those that are overwritten hold rubbish, dbias a start to add to. */
export function attentionGradients(args: AttentionArguments, seed = 9) {
  return {
    g: normals(args.out.length, seed),
    dq: dirty(args.q.length),
    dk: dirty(args.k.length),
    dv: dirty(args.v.length),
    dbias: args.bias ? normals(args.bias.length, seed + 1) : null,
  };
}
