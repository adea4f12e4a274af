import type { DeviceBuffer } from '../device.js';
import type { AttentionArguments, AttentionGradients, HeadStrides } from '../kernels/attention.js';
import type { Blas } from './blas.node.js';
import { FUNCTION } from './cost.js';
import { type Engine, pointer } from './engine.js';

// Attention with its products made by a BLAS: some queries of one head at a time, with all keys that one of them may see.
// Their scores are a strip of memory (assembly/attention-strip.ts), which grows with the keys and not with the queries.

/**
 * With fewer keys our own products of small blocks are as fast: forward and backward, two threads, PyTorch being 1, they
 * reach 1.11 at 512 tokens, 0.73 at 1024 and 0.56 at 4096; strips 1.01, 0.88 and 0.64.
 */
const LEAST_KEYS = 1024;
const LEAST_QUERIES = 128;
const LEAST_SIZE = 16; // of a head: with less, a product is too little work for its call
const MOST_ROWS = 128; // of a strip: at 4096 keys, 2 MiB

/** Whether attention is large enough for strips. A gradient of the bias may be one for all heads: that is left to blocks. */
export function fitsStrips(args: AttentionArguments, gradients: AttentionGradients | null): boolean {
  const { queries, keys, headDim, valueDim, qStrides, kStrides, vStrides, outStrides } = args;
  if (gradients?.dbias || queries < LEAST_QUERIES || keys < LEAST_KEYS) return false;
  if (Math.min(headDim, valueDim) < LEAST_SIZE) return false;
  return Math.min(qStrides.token, kStrides.token) >= headDim && Math.min(vStrides.token, outStrides.token) >= valueDim;
}

/** Some queries of a head and the keys that one of them may see. */
interface Strip {
  readonly b: number;
  readonly h: number;
  readonly kv: number;
  readonly i0: number;
  readonly rows: number;
  readonly j0: number;
  readonly keys: number;
}

/** Rows of float32 at a byte offset, `width` elements from one to the next. */
interface Matrix {
  readonly at: number;
  readonly width: number;
}

interface Factors {
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly transposeA?: boolean;
  readonly transposeB?: boolean;
  readonly alpha?: number;
  readonly beta?: number;
}

/** One call of attention by strips; `call` points to the words of its arguments. */
export class StripAttention {
  readonly #engine: Engine;
  readonly #blas: Blas;
  readonly #args: AttentionArguments;
  readonly #call: number;

  constructor(engine: Engine, blas: Blas, args: AttentionArguments, call: number) {
    this.#engine = engine;
    this.#blas = blas;
    this.#args = args;
    this.#call = call;
  }

  forward(): void {
    const { q, k, v, out, qStrides, kStrides, vStrides, outStrides, headDim, valueDim, scale } = this.#args;
    const [p] = this.#scratch(1) as [Matrix];
    for (const strip of this.#strips()) {
      const { b, h, kv, i0, rows, j0, keys } = strip;
      const outs = place(out, outStrides, b, h, i0);
      const sizes = { m: rows, n: keys, k: headDim, transposeB: true, alpha: scale };
      this.#multiply(place(q, qStrides, b, h, i0), place(k, kStrides, b, kv, j0), p, sizes);
      this.#engine.run('attentionStrip', [this.#call, b, h, i0, j0, keys, p.at, 4 * p.width], rows, keys * FUNCTION);
      this.#multiply(p, place(v, vStrides, b, kv, j0), outs, { m: rows, n: valueDim, k: keys });
    }
  }

  backward({ g, dq, dk, dv }: AttentionGradients): void {
    const { q, k, v, qStrides, kStrides, vStrides, outStrides, headDim, valueDim, scale } = this.#args;
    const [p, ds] = this.#scratch(2) as [Matrix, Matrix];
    // the last queries first: most often they see all keys, so that their products need nothing to be added to
    for (const strip of this.#strips().reverse()) {
      const { b, h, kv, i0, rows, j0, keys } = strip;
      const [queries, gs] = [place(q, qStrides, b, h, i0), place(g, outStrides, b, h, i0)];
      const [tokens, values] = [place(k, kStrides, b, kv, j0), place(v, vStrides, b, kv, j0)];
      this.#multiply(queries, tokens, p, { m: rows, n: keys, k: headDim, transposeB: true, alpha: scale });
      this.#multiply(gs, values, ds, { m: rows, n: keys, k: valueDim, transposeB: true });
      this.#engine.run(
        'attentionStripBackward',
        [this.#call, b, h, i0, j0, keys, p.at, ds.at, 4 * p.width],
        rows,
        keys * FUNCTION,
      );

      const beta = this.#begin(strip, dk, dv) ? 0 : 1;
      const toKeys = { m: keys, k: rows, transposeA: true, beta };
      this.#multiply(p, gs, place(dv, vStrides, b, kv, j0), { ...toKeys, n: valueDim });
      this.#multiply(ds, queries, place(dk, kStrides, b, kv, j0), { ...toKeys, n: headDim, alpha: scale });
      this.#multiply(ds, tokens, place(dq, qStrides, b, h, i0), { m: rows, n: headDim, k: keys, alpha: scale });
    }
  }

  /** Whether a strip's products are the first of all gradients of its keys; where only of some, all are cleared. */
  #begin({ b, h, kv, i0, rows, keys }: Strip, dk: DeviceBuffer, dv: DeviceBuffer): boolean {
    const { heads, kvHeads, kStrides, vStrides, headDim, valueDim } = this.#args;
    const isFirst = i0 + rows === this.#args.queries && h === (kv + 1) * (heads / kvHeads) - 1;
    if (!isFirst || keys === this.#args.keys) return isFirst;
    this.#clear(place(dk, kStrides, b, kv, 0), this.#args.keys, headDim);
    this.#clear(place(dv, vStrides, b, kv, 0), this.#args.keys, valueDim);
    return false;
  }

  /** In the order of heads, then of queries. */
  #strips(): Strip[] {
    const { batch, heads, kvHeads, queries, keys, windowLeft, windowRight, queryOffset } = this.#args;
    const strips: Strip[] = [];
    for (let b = 0; b < batch; b++) {
      for (let h = 0; h < heads; h++) {
        for (let i0 = 0; i0 < queries; i0 += MOST_ROWS) {
          const rows = Math.min(MOST_ROWS, queries - i0);
          const j0 = windowLeft < 0 ? 0 : Math.max(0, queryOffset + i0 - windowLeft);
          const end = windowRight < 0 ? keys : Math.min(keys, queryOffset + i0 + rows + windowRight);
          strips.push({ b, h, kv: Math.floor(h / (heads / kvHeads)), i0, rows, j0, keys: Math.max(0, end - j0) });
        }
      }
    }
    return strips;
  }

  /** Room for the scores of `count` strips. */
  #scratch(count: number): Matrix[] {
    const rowBytes = this.#engine.exports.attentionStripRow(this.#args.keys);
    const bytes = MOST_ROWS * rowBytes;
    const start = this.#engine.workspace(count * bytes);
    return Array.from({ length: count }, (_, i) => ({ at: start + i * bytes, width: rowBytes / 4 }));
  }

  /** `y = alpha · op(a) · op(b) + beta · y`; a sum over nothing is 0. */
  #multiply(a: Matrix, b: Matrix, y: Matrix, { m, n, k, ...options }: Factors): void {
    const { transposeA = false, transposeB = false, alpha = 1, beta = 0 } = options;
    if (k === 0 && beta === 0) this.#clear(y, m, n);
    if (k === 0 || n === 0 || m === 0) return;
    const flags = [Number(transposeA), Number(transposeB)] as const;
    this.#blas.sgemm(
      this.#engine.memory.buffer,
      ...flags,
      m,
      n,
      k,
      alpha,
      a.at,
      a.width,
      b.at,
      b.width,
      beta,
      y.at,
      y.width,
    );
  }

  #clear({ at, width }: Matrix, rows: number, columns: number): void {
    const floats = new Float32Array(this.#engine.memory.buffer);
    for (let row = 0; row < rows; row++) floats.fill(0, at / 4 + row * width, at / 4 + row * width + columns);
  }
}

/** The rows of a head of a batch element from a token on. */
function place(x: DeviceBuffer, strides: HeadStrides, b: number, head: number, token: number): Matrix {
  return {
    at: pointer(x) + 4 * (b * strides.batch + head * strides.head + token * strides.token),
    width: strides.token,
  };
}
