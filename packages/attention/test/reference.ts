import * as reference from '@burin/testing/reference';

/** What a case of the float64 reference is made of; layout [B, T, H, D]. */
export interface ReferenceCase {
  B: number;
  H: number;
  K: number;
  T: number;
  S: number;
  D: number;
  Dv: number;
  scale?: number;
  causal?: boolean;
  window?: number;
  queryOffset?: number;
  keyMask?: Uint8Array;
  querySegments?: Int32Array;
  keySegments?: Int32Array;
  /** [1 or B, 1 or H, 1 or T, S], with its shape. */
  bias?: Float64Array;
  biasShape?: readonly [number, number, number];
  dropout?: number;
  stream?: reference.RandomStream;
}

/** The reference's result on [B, T, H, D], [B, S, K, D] and [B, S, K, Dv]: [B, T, H, Dv]. */
export function referenceAttention(c: ReferenceCase, q: Float64Array, k: Float64Array, v: Float64Array): Float64Array {
  const { B, H, K, T, S, D, Dv } = c;
  const strides = (heads: number, tokens: number, dim: number) => ({
    batch: tokens * heads * dim,
    token: heads * dim,
    head: dim,
  });
  const [b, h, t] = c.biasShape ?? [1, 1, 1];
  const reach = c.window === undefined ? -1 : c.window - 1;
  const out = new Float64Array(B * T * H * Dv);
  reference.attention({
    ...{ q, k, v, out },
    lse: new Float64Array(B * H * T),
    qStrides: strides(H, T, D),
    kStrides: strides(K, S, D),
    vStrides: strides(K, S, Dv),
    outStrides: strides(H, T, Dv),
    batch: B,
    heads: H,
    kvHeads: K,
    queries: T,
    keys: S,
    headDim: D,
    valueDim: Dv,
    scale: c.scale ?? 1 / Math.sqrt(D),
    windowLeft: reach,
    windowRight: c.causal ? 0 : reach,
    queryOffset: c.queryOffset ?? 0,
    keyMask: c.keyMask ?? null,
    querySegments: c.querySegments ?? null,
    keySegments: c.keySegments ?? null,
    bias: c.bias ?? null,
    biasStrides: { batch: b === 1 ? 0 : h * t * S, head: h === 1 ? 0 : t * S, token: t === 1 ? 0 : S },
    dropout: c.dropout ?? 0,
    stream: c.stream ?? null,
  });
  return out;
}
