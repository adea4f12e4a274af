import type { DeviceBuffer } from '../device.js';
import type { RandomStream } from './random.js';

/** Distances in elements between neighbours along an axis of q, k, v or out; the last axis (D) is contiguous. */
export interface HeadStrides {
  batch: number;
  head: number;
  token: number;
}

/**
 * Attention of `T` queries over `S` keys, block by block with an online softmax (Dao et al. 2022, arXiv 2205.14135), so
 * scratch does not grow with T · S. Query head h reads key/value head `floor(h / (heads / kvHeads))`.
 *
 * Query i stands at position p = queryOffset + i, key j at position j. Key j is seen if
 * `p − windowLeft ≤ j ≤ p + windowRight` (−1: no bound; causal is windowRight 0), `keyMask[b, j]` is not 0, and the
 * segments are equal. A query that sees no key gives a row of zeros and lse −∞.
 *
 *     score = scale · q·k + bias      p = softmax(score)      out = dropout(p) · v
 */
export interface AttentionArguments {
  q: DeviceBuffer;
  k: DeviceBuffer;
  v: DeviceBuffer;
  out: DeviceBuffer;
  lse: DeviceBuffer; // [B, H, T] log Σ exp(score), kept for the backward pass
  qStrides: HeadStrides;
  kStrides: HeadStrides;
  vStrides: HeadStrides;
  outStrides: HeadStrides;
  batch: number;
  heads: number;
  kvHeads: number;
  queries: number; // T
  keys: number; // S
  headDim: number; // D of q and k
  valueDim: number; // D of v and out
  scale: number;
  windowLeft: number;
  windowRight: number;
  queryOffset: number;
  keyMask: DeviceBuffer | null; // [B, S] uint8
  querySegments: DeviceBuffer | null; // [B, T] int32
  keySegments: DeviceBuffer | null; // [B, S] int32
  bias: DeviceBuffer | null; // float32; key axis contiguous
  biasStrides: HeadStrides; // 0 repeats an axis; `token` is the query axis
  dropout: number; // element (b, h, i, j) takes number ((b·H + h)·T + i)·S + j of the stream
  stream: RandomStream | null;
}

/** Where the gradients of attention go. */
export interface AttentionGradients {
  g: DeviceBuffer; // gradient of out, with outStrides
  dq: DeviceBuffer; // with qStrides; these three are overwritten
  dk: DeviceBuffer; // with kStrides
  dv: DeviceBuffer; // with vStrides
  dbias: DeviceBuffer | null; // with biasStrides; ADDED to
}

/** What a rotary kernel is given. */
export interface RopeArguments {
  x: DeviceBuffer;
  y: DeviceBuffer; // may be x; same strides
  positions: DeviceBuffer; // [batch, tokens] int32, within the tables
  cos: DeviceBuffer; // [tableRows, rotaryDim / 2] float32
  sin: DeviceBuffer;
  strides: HeadStrides; // of x and y
  batch: number;
  heads: number;
  tokens: number;
  headDim: number;
  rotaryDim: number; // elements past it are copied
  interleaved: boolean; // pairs (2i, 2i + 1) as GPT-J; else (i, i + rotaryDim / 2) as Llama and GPT-NeoX
  inverse: boolean; // rotate back: the gradient
  tableRows: number;
}

/** Attention and rotary embeddings. */
export interface AttentionKernels {
  attention(args: AttentionArguments): void;
  /** Recomputes the probabilities from lse. */
  attentionBackward(args: AttentionArguments, gradients: AttentionGradients): void;
  /** Su et al. 2021, https://arxiv.org/abs/2104.09864. */
  rope(args: RopeArguments): void;
}
