import { type LinearLike, Module, type RotaryEmbedding } from '@burin/nn';
import { cat, type Generator, ShapeError, scope, type Tensor } from '@burin/tensor';
import { absorbedAttention } from './absorbed-attention.js';
import { checkHeld } from './cached-attention.js';
import { headSizes } from './head-layout.js';
import type { KeyValueCache } from './key-value-cache.js';
import type { AttendOptions } from './multi-head-attention.js';
import { checkMasks } from './plan.js';
import { scaledDotProductAttention } from './scaled-dot-product-attention.js';

/** A norm over the last axis. */
interface LatentNorm extends Module {
  forward(x: Tensor): Tensor;
}

/** The layers of a {@link LatentAttention}. C in and out, R the latent's width, N, P and V of a head. */
export interface LatentProjections {
  /** `[C] -> [H · (N + P)]`; or queries go through a latent of their own, see `qAProj`. */
  qProj?: LinearLike | null;
  /** `[C] -> [Q]`, then a norm over Q, then `[Q] -> [H · (N + P)]`: all three, or none. */
  qAProj?: LinearLike | null;
  qALayernorm?: LatentNorm | null;
  qBProj?: LinearLike | null;
  /** `[C] -> [R + P]`: the latent, and the part of the keys that turns, which all heads share. */
  kvAProjWithMqa: LinearLike;
  /** Over R. */
  kvALayernorm: LatentNorm;
  /** `[R] -> [H · (N + V)]`, without a bias: of each head the keys that do not turn, then its values. */
  kvBProj: LinearLike;
  /** `[H · V] -> [C]` */
  oProj: LinearLike;
}

/** What a {@link LatentAttention} is made of. */
export interface LatentSettings {
  /** H. */
  heads: number;
  /** N: elements of a head's queries and keys that do not turn. */
  nopeDim: number;
  /** V: elements of a head's values. */
  valueDim: number;
  /** Turns the other P elements: its `headDim` is P. */
  rotary: RotaryEmbedding;
  /** Factor on the scores. Default 1 / √(N + P). */
  scale?: number | null;
  /** Share of the probabilities that training drops, in [0, 1). Default 0. */
  dropout?: number;
  /** Draws what is dropped. */
  rng?: Generator | null;
}

/** What one call of `forward` is given. */
export interface LatentAttendOptions extends Pick<AttendOptions, 'keyPaddingMask' | 'segments' | 'cache'> {
  /** int32 `[B, T]`: where each token stands. */
  positions: Tensor;
  /** The largest of `positions`. */
  maxPosition: number;
}

/**
 * Causal multi-head latent attention, `[B, T, C] -> [B, T, C]`: keys and values of all heads are made of one short vector
 * a token, and a cache holds that vector and the turned part of the key: R + P numbers a token, not H · (N + P + V).
 *
 *     c = norm(latent of kvAProjWithMqa(x));   k_h = [keys of kvBProj(c)_h, rotary(rest)],  v_h = values of kvBProj(c)_h
 *     y = oProj(attention(q, k, v))
 *
 * The first tokens of a cache are attended as without one. For later ones the products with `kvBProj` change sides, so
 * that past keys and values are never made: see {@link absorbedAttention}.
 *
 * @see DeepSeek-AI 2024, section 2.1, https://arxiv.org/abs/2405.04434
 */
export class LatentAttention extends Module {
  readonly qProj: LinearLike | null;
  readonly qAProj: LinearLike | null;
  readonly qALayernorm: LatentNorm | null;
  readonly qBProj: LinearLike | null;
  readonly kvAProjWithMqa: LinearLike;
  readonly kvALayernorm: LatentNorm;
  readonly kvBProj: LinearLike;
  readonly oProj: LinearLike;
  readonly heads: number;
  readonly nopeDim: number;
  readonly ropeDim: number;
  readonly valueDim: number;
  readonly rank: number; // R
  readonly scale: number;
  readonly dropout: number;
  readonly rng: Generator | null;
  readonly #rotary: RotaryEmbedding;

  /** @throws ShapeError if the projections do not fit each other and the heads */
  constructor(options: LatentSettings & LatentProjections) {
    super();
    const { heads, nopeDim, valueDim, rotary } = options;
    const ropeDim = rotary.headDim;
    this.qProj = options.qProj ?? null;
    this.qAProj = options.qAProj ?? null;
    this.qALayernorm = options.qALayernorm ?? null;
    this.qBProj = options.qBProj ?? null;
    this.kvAProjWithMqa = options.kvAProjWithMqa;
    this.kvALayernorm = options.kvALayernorm;
    this.kvBProj = options.kvBProj;
    this.oProj = options.oProj;
    this.heads = heads;
    this.nopeDim = nopeDim;
    this.ropeDim = ropeDim;
    this.valueDim = valueDim;
    this.rank = options.kvBProj.inFeatures;
    this.scale = options.scale ?? 1 / Math.sqrt(nopeDim + ropeDim);
    this.dropout = options.dropout ?? 0;
    this.rng = options.rng ?? null;
    this.#rotary = rotary;
    checkProjections(this);
  }

  /**
   * @param x - `[B, T, C]`
   * @returns `[B, T, C]`
   * @throws ShapeError if x or a mask does not fit; LifetimeError if a cache is used where gradients are recorded; RangeError
   *   if a cache with tokens is used for packed texts, or has let go of some
   */
  forward(x: Tensor, options: LatentAttendOptions): Tensor {
    return scope(() => {
      const [B, T] = x.shape as [number, number, number];
      const { cache = null } = options;
      const q = this.queries(x, options); // [B, T, H, N + P]
      const stacked = this.kvAProjWithMqa.forward(x); // [B, T, R + P]
      const latent = this.kvALayernorm.forward(stacked.narrow(2, 0, this.rank));
      const turned = this.turn(stacked.narrow(2, this.rank, this.ropeDim).reshape([B, T, 1, this.ropeDim]), options);
      const attended =
        cache && cache.length > 0
          ? this.withPast(q, latent, turned, cache, options)
          : this.alone(q, latent, turned, options);
      if (cache?.length === 0) cache.update(latent.reshape([B, T, 1, this.rank]), turned);
      return this.oProj.forward(attended.reshape([B, T, this.heads * this.valueDim]));
    });
  }

  private queries(x: Tensor, options: LatentAttendOptions): Tensor {
    const [B, T] = x.shape as [number, number, number];
    const { heads, nopeDim, ropeDim } = this;
    const flat = this.qProj
      ? this.qProj.forward(x)
      : this.qBProj!.forward(this.qALayernorm!.forward(this.qAProj!.forward(x)));
    const q = flat.reshape([B, T, heads, nopeDim + ropeDim]);
    return cat([q.narrow(3, 0, nopeDim), this.turn(q.narrow(3, nopeDim, ropeDim), options)], 3);
  }

  private turn(x: Tensor, { positions, maxPosition }: LatentAttendOptions): Tensor {
    return this.#rotary.apply(x, positions, { layout: 'bthd', maxPosition });
  }

  /** Attention among x's own tokens, their keys and values made of their latents. */
  private alone(q: Tensor, latent: Tensor, turned: Tensor, options: LatentAttendOptions): Tensor {
    const [B, T] = q.shape as [number, number];
    const { heads, nopeDim, ropeDim, valueDim, scale, rng } = this;
    const expanded = this.kvBProj.forward(latent).reshape([B, T, heads, nopeDim + valueDim]);
    const shared = turned.expand([B, T, heads, ropeDim]);
    const k = cat([expanded.narrow(3, 0, nopeDim), shared], 3);
    const dropout = this.training ? this.dropout : 0;
    const masks = { causal: true, keyPaddingMask: options.keyPaddingMask ?? null, segments: options.segments ?? null };
    const v = expanded.narrow(3, nopeDim, valueDim);
    return scaledDotProductAttention(q, k, v, { ...masks, layout: 'bthd', scale, dropout, rng });
  }

  /** Attention to what the cache holds, too. */
  private withPast(
    q: Tensor,
    latent: Tensor,
    turned: Tensor,
    cache: KeyValueCache,
    options: LatentAttendOptions,
  ): Tensor {
    const [B, T] = q.shape as [number, number];
    const position = cache.length;
    if (options.segments) {
      throw new RangeError(
        'LatentAttention: packed texts take no cache that holds tokens, whose segments it does not know: leave out one of the two',
      );
    }
    const keyPaddingMask = options.keyPaddingMask ?? null;
    checkMasks('LatentAttention', headSizes('LatentAttention', 'q', q, 'bthd'), position + T, { keyPaddingMask });
    const held = cache.update(latent.reshape([B, T, 1, this.rank]), turned);
    checkHeld('LatentAttention', held.start, position, null);
    const weight = this.kvBProj.floatWeight();
    return absorbedAttention(q, weight, held, { ...this, position, keyPaddingMask });
  }
}

function checkProjections(attention: LatentAttention): void {
  const { heads, nopeDim, ropeDim, valueDim, rank, qProj, qAProj, qALayernorm, qBProj } = attention;
  const rule = (holds: boolean, words: string, got: number | string) => {
    if (!holds) throw new ShapeError(`LatentAttention: ${words}, got ${got}`);
  };
  const through = [qAProj, qALayernorm, qBProj].filter((layer) => layer !== null).length;
  rule(
    qProj ? through === 0 : through === 3,
    'queries need qProj alone, or qAProj, qALayernorm and qBProj',
    `${qProj ? 'qProj and ' : ''}${through} of the three`,
  );
  const queries = (qProj ?? qBProj!).outFeatures;
  const wanted = heads * (nopeDim + ropeDim);
  rule(queries === wanted, `queries must be ${heads} heads of ${nopeDim + ropeDim}: expected ${wanted}`, queries);
  const compressed = attention.kvAProjWithMqa.outFeatures;
  const both = rank + ropeDim;
  rule(
    compressed === both,
    `kvAProjWithMqa must give what kvBProj takes and ${ropeDim} more: expected ${both}`,
    compressed,
  );
  const made = attention.kvBProj.outFeatures;
  const keysAndValues = heads * (nopeDim + valueDim);
  rule(made === keysAndValues, `kvBProj must give keys and values: expected ${keysAndValues}`, made);
  rule(attention.kvBProj.bias === null, 'kvBProj must have no bias, which could not change sides', 'one');
  const taken = attention.oProj.inFeatures;
  rule(
    taken === heads * valueDim,
    `oProj must take ${heads} heads of ${valueDim}: expected ${heads * valueDim}`,
    taken,
  );
}
