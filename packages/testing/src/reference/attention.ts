import { type RandomStream, streamUniform } from './philox.js';
import { logSumExp } from './softmax.js';
import { indices } from './strides.js';
import type { Floats } from './types.js';

/** Distances in elements between neighbours along an axis; the last axis is contiguous. */
export interface HeadStrides {
  batch: number;
  head: number;
  token: number;
}

/** The fields of @burin/tensor's AttentionArguments. */
export interface AttentionArguments {
  q: Floats;
  k: Floats;
  v: Floats;
  out: Floats;
  lse: Floats; // [B, H, T]
  qStrides: HeadStrides;
  kStrides: HeadStrides;
  vStrides: HeadStrides;
  outStrides: HeadStrides;
  batch: number;
  heads: number;
  kvHeads: number;
  queries: number;
  keys: number;
  headDim: number;
  valueDim: number;
  scale: number;
  windowLeft: number;
  windowRight: number;
  queryOffset: number;
  keyMask: Uint8Array | null; // [B, S]
  querySegments: Int32Array | null; // [B, T]
  keySegments: Int32Array | null; // [B, S]
  bias: Floats | null;
  biasStrides: HeadStrides;
  dropout: number;
  stream: RandomStream | null;
}

export interface AttentionGradients {
  g: Floats;
  dq: Floats;
  dk: Floats;
  dv: Floats;
  dbias: Floats | null;
}

/** One query row: which batch, head and query, and where its vectors start. */
interface Row {
  b: number;
  h: number;
  i: number;
  q: number;
  out: number;
  lse: number;
  k: (j: number) => number;
  v: (j: number) => number;
  bias: number;
}

/**
 * Attention of every query over the keys that it sees (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762), the
 * whole row of scores at once.
 *
 *     score = scale · q·k + bias      p = exp(score − lse)      out = Σ drop(p) · v
 *
 * A query that sees no key gives a row of zeros and lse −∞.
 */
export function attention(args: AttentionArguments): void {
  for (const row of queryRows(args)) {
    const scores = rowScores(args, row);
    const lse = logSumExp(scores, 0, args.keys);
    args.lse[row.lse] = lse;
    const p = rowProbabilities(scores, lse);
    args.out.fill(0, row.out, row.out + args.valueDim);
    for (let j = 0; j < args.keys; j++) {
      if (p[j] === 0) continue;
      const dropped = p[j]! * dropFactor(args, row, j);
      for (let d = 0; d < args.valueDim; d++) args.out[row.out + d]! += dropped * args.v[row.v(j) + d]!;
    }
  }
}

/**
 * With P = drop(p) and drop(p) = p · factor:
 *
 *     dv += P · g      dp = factor · g·v      ds = p · (dp − g·out)
 *     dq = scale · Σ ds · k      dk += scale · ds · q      dbias += ds
 *
 * `g·out` is `Σ p·dp`, but does not suffer from the rounding of lse when that was stored as float32 (Dao et al. 2022,
 * https://arxiv.org/abs/2205.14135, appendix B.2).
 */
export function attentionBackward(args: AttentionArguments, gradients: AttentionGradients): void {
  const { g, dq, dk, dv, dbias } = gradients;
  const { headDim, valueDim, keys, scale } = args;
  clearGradients(args, gradients);
  for (const row of queryRows(args)) {
    const p = rowProbabilities(rowScores(args, row), args.lse[row.lse]!);
    let pull = 0; // g · out
    for (let d = 0; d < valueDim; d++) pull += g[row.out + d]! * args.out[row.out + d]!;
    for (let j = 0; j < keys; j++) {
      if (p[j] === 0) continue;
      const factor = dropFactor(args, row, j);
      let dp = 0;
      for (let d = 0; d < valueDim; d++) dp += factor * g[row.out + d]! * args.v[row.v(j) + d]!;
      const ds = p[j]! * (dp - pull);
      const dropped = p[j]! * factor;
      for (let d = 0; d < valueDim; d++) dv[row.v(j) + d]! += dropped * g[row.out + d]!;
      for (let d = 0; d < headDim; d++) {
        dq[row.q + d]! += scale * ds * args.k[row.k(j) + d]!;
        dk[row.k(j) + d]! += scale * ds * args.q[row.q + d]!;
      }
      if (dbias) dbias[row.bias + j]! += ds;
    }
  }
}

function* queryRows(args: AttentionArguments): Generator<Row> {
  const { qStrides, kStrides, vStrides, outStrides, biasStrides } = args;
  const start = (strides: HeadStrides, b: number, h: number, t: number) =>
    b * strides.batch + h * strides.head + t * strides.token;
  for (let b = 0; b < args.batch; b++) {
    for (let h = 0; h < args.heads; h++) {
      const kvHead = Math.floor(h / (args.heads / args.kvHeads));
      for (let i = 0; i < args.queries; i++) {
        yield {
          b,
          h,
          i,
          q: start(qStrides, b, h, i),
          out: start(outStrides, b, h, i),
          lse: (b * args.heads + h) * args.queries + i,
          k: (j) => start(kStrides, b, kvHead, j),
          v: (j) => start(vStrides, b, kvHead, j),
          bias: start(biasStrides, b, h, i),
        };
      }
    }
  }
}

/** A row of scores; −∞ where the key is not seen. */
function rowScores(args: AttentionArguments, row: Row): Float64Array {
  const scores = new Float64Array(args.keys).fill(-Infinity);
  for (let j = 0; j < args.keys; j++) {
    if (!isSeen(args, row, j)) continue;
    let dot = 0;
    for (let d = 0; d < args.headDim; d++) dot += args.q[row.q + d]! * args.k[row.k(j) + d]!;
    scores[j] = args.scale * dot + (args.bias ? args.bias[row.bias + j]! : 0);
  }
  return scores;
}

function rowProbabilities(scores: Float64Array, lse: number): Float64Array {
  return scores.map((score) => (lse === -Infinity ? 0 : Math.exp(score - lse)));
}

function isSeen(args: AttentionArguments, { b, i }: Row, j: number): boolean {
  const { windowLeft, windowRight, queryOffset, keyMask, querySegments, keySegments, queries, keys } = args;
  const position = queryOffset + i;
  if (windowLeft >= 0 && j < position - windowLeft) return false;
  if (windowRight >= 0 && j > position + windowRight) return false;
  if (keyMask && keyMask[b * keys + j] === 0) return false;
  if (querySegments && keySegments && querySegments[b * queries + i] !== keySegments[b * keys + j]) return false;
  return true;
}

function dropFactor({ dropout, stream, heads, queries, keys }: AttentionArguments, row: Row, j: number): number {
  if (dropout === 0 || !stream) return 1;
  const element = ((row.b * heads + row.h) * queries + row.i) * keys + j;
  return streamUniform(stream, element) < dropout ? 0 : 1 / (1 - dropout);
}

/** dq, dk and dv are overwritten: only the elements that the strides reach. */
function clearGradients(args: AttentionArguments, { dq, dk, dv }: AttentionGradients): void {
  const { batch, heads, kvHeads, queries, keys, headDim, valueDim, qStrides, kStrides, vStrides } = args;
  const clear = (values: Floats, strides: HeadStrides, [B, H, T, size]: [number, number, number, number]) => {
    for (const [b, h, t] of indices([B, H, T])) {
      const start = b! * strides.batch + h! * strides.head + t! * strides.token;
      values.fill(0, start, start + size);
    }
  };
  clear(dq, qStrides, [batch, heads, queries, headDim]);
  clear(dk, kStrides, [batch, kvHeads, keys, headDim]);
  clear(dv, vStrides, [batch, kvHeads, keys, valueDim]);
}
