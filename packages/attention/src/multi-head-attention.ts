import { hostPositions, type LinearLike, Module, type RotaryEmbedding } from '@burin/nn';
import { checkOptions, checkTensor, type Generator, ShapeError, scope, type Tensor, tensor } from '@burin/tensor';
import { attentionWeights } from './attention-weights.js';
import { cachedAttention } from './cached-attention.js';
import type { KeyValueCache } from './key-value-cache.js';
import type { AttentionMasks } from './options.js';
import { checkReach } from './plan.js';
import { buildProjections, headDims, type Projections, type ProjectionWidths } from './projections.js';

/** A norm over the last axis. */
interface HeadNorm extends Module {
  forward(x: Tensor): Tensor;
}

/** What a {@link MultiHeadAttention} is made of. */
export interface AttentionSettings {
  /** H, heads of the queries. */
  heads: number;
  /** K, heads of keys and values: H / K query heads share one. Default: as many as `heads`. */
  kvHeads?: number;
  /** Tokens see themselves and what is before them. Default false. */
  causal?: boolean;
  /** Tokens see less than this many positions far. Default null: no bound. */
  window?: number | null;
  /** Factor on the scores. Default 1 / √D. */
  scale?: number | null;
  /** Turns queries and keys by their positions; one object serves all layers. */
  rotary?: RotaryEmbedding | null;
  /** Norms over D, of queries and keys before they are turned (Qwen3, Gemma 3). */
  qNorm?: HeadNorm | null;
  kNorm?: HeadNorm | null;
  /** Share of the probabilities that training drops, in [0, 1). Default 0. */
  dropout?: number;
  /** Draws what is dropped. */
  rng?: Generator | null;
}

const OPTIONS = [
  ...['width', 'headDim', 'memoryWidth', 'bias', 'qProj', 'kProj', 'vProj', 'oProj', 'heads', 'kvHeads', 'causal'],
  ...['window', 'scale', 'rotary', 'qNorm', 'kNorm', 'dropout', 'rng'],
];

const ATTEND_OPTIONS = ['memory', 'cache', 'positions', 'maxPosition', 'keyPaddingMask', 'segments', 'bias'];

/** What one call of `forward` attends to. */
export interface AttendOptions extends Pick<AttentionMasks, 'keyPaddingMask' | 'segments' | 'bias'> {
  /** `[B, S, C of the memory]`: keys and values come from it instead of from x. Cross attention. */
  memory?: Tensor | null;
  /** Past keys and values of this layer; those of x are appended. */
  cache?: KeyValueCache | null;
  /** int32 `[B, T]` for the rotary embedding. Default: on from the cache's length. */
  positions?: Tensor | null;
  /**
   * The largest of `positions`. Default: what they hold or the last token's place; where the host cannot see them (gpu) the
   * latter, so say it if positions skip ahead.
   */
  maxPosition?: number;
}

/**
 * Multi-head attention, `[B, T, C] -> [B, T, C]`: grouped-query with fewer `kvHeads`, causal, cross (`memory`), sliding
 * window, padded, packed (`segments`), with rotary embedding and a key/value cache.
 *
 *     y = oProj(attention(rotary(qNorm(qProj(x))), rotary(kNorm(kProj(x))), vProj(x)))
 *
 * Works in `[B, T, H, D]` throughout, as the projections give it: heads are not transposed into copies.
 *
 * @see Vaswani et al. 2017, https://arxiv.org/abs/1706.03762; Ainslie et al. 2023, https://arxiv.org/abs/2305.13245
 */
export class MultiHeadAttention extends Module {
  readonly qProj: LinearLike; // [C] -> [H · D]
  readonly kProj: LinearLike; // [C] -> [K · D]
  readonly vProj: LinearLike; // [C] -> [K · Dv]
  readonly oProj: LinearLike; // [H · Dv] -> [C]
  readonly qNorm: HeadNorm | null; // over D
  readonly kNorm: HeadNorm | null; // over D
  readonly rotary: RotaryEmbedding | null;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly valueDim: number;
  readonly causal: boolean;
  readonly window: number | null;
  readonly scale: number;
  readonly dropout: number;
  readonly rng: Generator | null;

  /**
   * One of given projections, or of new ones by their widths.
   *
   * @throws RangeError if a number is out of range or an option is none; ShapeError if the projections do not fit each
   *   other and the heads
   * @example
   * new MultiHeadAttention({ width: 64, heads: 4, kvHeads: 2, causal: true, rng });
   * new MultiHeadAttention({ qProj, kProj, vProj, oProj, heads: 4 });
   */
  constructor(options: AttentionSettings & (ProjectionWidths | Projections)) {
    super();
    const { heads, kvHeads = heads, causal = false, window = null, dropout = 0, rng = null } = options;
    checkOptions('MultiHeadAttention', options, OPTIONS);
    checkSettings(heads, kvHeads, dropout, rng);
    checkReach('MultiHeadAttention', { window, scale: options.scale ?? null });
    const projections = 'qProj' in options ? options : buildProjections(options, heads, kvHeads);
    const { headDim, valueDim } = headDims(projections, heads, kvHeads);
    this.qProj = projections.qProj;
    this.kProj = projections.kProj;
    this.vProj = projections.vProj;
    this.oProj = projections.oProj;
    this.qNorm = options.qNorm ?? null;
    this.kNorm = options.kNorm ?? null;
    this.rotary = options.rotary ?? null;
    this.heads = heads;
    this.kvHeads = kvHeads;
    this.headDim = headDim;
    this.valueDim = valueDim;
    this.causal = causal;
    this.window = window;
    this.scale = options.scale ?? 1 / Math.sqrt(headDim);
    this.dropout = dropout;
    this.rng = rng;
  }

  /**
   * @param x - `[B, T, C]`
   * @returns `[B, T, C]`
   * @throws ShapeError if x, the memory or a mask does not fit; LifetimeError if a cache is used where gradients are
   *   recorded; RangeError if an option is none
   */
  forward(x: Tensor, options: AttendOptions = {}): Tensor {
    checkOptions('MultiHeadAttention.forward', options, ATTEND_OPTIONS);
    return scope(() => {
      const { cache = null } = options;
      const { q, k, v } = this.project(x, options);
      const attended = cachedAttention(q, k, v, cache, {
        ...this.masks(options),
        dropout: this.training ? this.dropout : 0,
        rng: this.rng,
      }); // [B, T, H, Dv]
      const [B, T] = x.shape as [number, number];
      return this.oProj.forward(attended.reshape([B, T, this.heads * this.valueDim])); // [B, T, C]
    });
  }

  /** The probabilities by which `forward` would sum values, `[B, H, T, S]`: to look at. Takes no cache. */
  attentionWeights(x: Tensor, options: Omit<AttendOptions, 'cache'> = {}): Tensor {
    return scope(() => {
      const { q, k } = this.project(x, options);
      return attentionWeights(q, k, { ...this.masks(options), layout: 'bthd' });
    });
  }

  private masks({ keyPaddingMask = null, segments = null, bias = null }: AttendOptions) {
    const { causal, window, scale } = this;
    return { causal, window, scale, keyPaddingMask, segments, bias };
  }

  /** Queries `[B, T, H, D]`, keys `[B, S, K, D]`, values `[B, S, K, Dv]`, normed and turned. */
  private project(x: Tensor, options: AttendOptions): { q: Tensor; k: Tensor; v: Tensor } {
    const { memory = null, cache = null } = options;
    checkInputs(x, memory, cache, this.rotary);
    const source = memory ?? x;
    const q = splitHeads(this.qProj.forward(x), this.heads);
    const k = splitHeads(this.kProj.forward(source), this.kvHeads);
    const v = splitHeads(this.vProj.forward(source), this.kvHeads);
    const normedQ = this.qNorm ? this.qNorm.forward(q) : q;
    const normedK = this.kNorm ? this.kNorm.forward(k) : k;
    if (!this.rotary) return { q: normedQ, k: normedK, v };
    const start = cache?.length ?? 0;
    const positions = options.positions ?? positionsFrom(start, x);
    const last = Math.max(0, start + x.shape[1]! - 1);
    const maxPosition = options.maxPosition ?? (options.positions ? Math.max(last, largestSeen(positions)) : last);
    const turn = (heads: Tensor) => this.rotary!.apply(heads, positions, { layout: 'bthd', maxPosition });
    return { q: turn(normedQ), k: turn(normedK), v };
  }
}

/** `[B, T, H · D] -> [B, T, H, D]`, the same memory. */
function splitHeads(x: Tensor, heads: number): Tensor {
  const [B, T, width] = x.shape as [number, number, number];
  return x.reshape([B, T, heads, width / heads]);
}

/** int32 [B, T]: start, start + 1, ... in each row. */
function positionsFrom(start: number, x: Tensor): Tensor {
  const [B, T] = x.shape as [number, number];
  return tensor(
    Int32Array.from({ length: B * T }, (_, i) => start + (i % T)),
    [B, T],
    { device: x.device },
  );
}

/** The largest of positions that the host can see; else 0. */
function largestSeen(positions: Tensor): number {
  return hostPositions(positions)?.reduce((a, b) => Math.max(a, b), 0) ?? 0;
}

function checkSettings(heads: number, kvHeads: number, dropout: number, rng: Generator | null): void {
  const whole = (value: number) => Number.isInteger(value) && value >= 1;
  if (!whole(heads) || !whole(kvHeads) || heads % kvHeads !== 0) {
    throw new RangeError(`MultiHeadAttention: heads must be a multiple of kvHeads, got ${heads} and ${kvHeads}`);
  }
  if (!(dropout >= 0 && dropout < 1)) {
    throw new RangeError(`MultiHeadAttention: dropout must be in [0, 1), got ${dropout}`);
  }
  if (dropout > 0 && !rng) {
    throw new RangeError(
      `MultiHeadAttention: dropout ${dropout} needs a random generator; pass rng: new Generator(seed)`,
    );
  }
}

function checkInputs(
  x: Tensor,
  memory: Tensor | null,
  cache: KeyValueCache | null,
  rotary: RotaryEmbedding | null,
): void {
  for (const [name, input] of [
    ['x', x],
    ['memory', memory],
  ] as const) {
    if (input === null) continue;
    checkTensor(input, `MultiHeadAttention: ${name}`);
    if (input.shape.length !== 3) {
      throw new ShapeError(`MultiHeadAttention: ${name} must be [B, T, C], got [${input.shape}]`);
    }
  }
  if (memory && (cache || rotary)) {
    throw new RangeError(
      `MultiHeadAttention: cross attention takes no ${cache ? 'cache' : 'rotary embedding'}: ` +
        'the keys of a memory do not grow with x and have no place beside it; leave out memory, or the other',
    );
  }
}
