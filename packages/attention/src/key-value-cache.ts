import type { Tensor } from '@burin/tensor';

/** The tokens that a query may see, as a cache hands them out. Gone with the scope in which they were asked for. */
export interface HeldTokens {
  /** `[B, capacity, K, D]`; the first `count` tokens are in use. */
  keys: Tensor;
  /** `[B, capacity, K, Dv]`; the first `count` tokens are in use. */
  values: Tensor;
  count: number;
  /** Position of the first of them: 0, unless older tokens were let go. */
  start: number;
}

/**
 * The keys and values of one layer's past tokens, of a batch of texts: `DynamicCache`, `StaticCache`, `SlidingCache` or
 * `QuantizedCache`. The memory belongs to no scope: `dispose()` frees it. Nothing is recorded: generate under `noGrad`.
 */
export interface KeyValueCache {
  /** Tokens seen: the position of the next one. A sliding cache holds fewer. */
  readonly length: number;
  /** Bytes of device memory held. */
  readonly byteLength: number;
  /**
   * Adds the next T tokens.
   *
   * @param keys - `[B, T, K, D]`
   * @param values - `[B, T, K, Dv]`
   * @returns what their queries may see, themselves included
   * @throws ShapeError if they do not fit each other or what is held; RangeError if there is no room
   * @throws LifetimeError if they need a gradient: it would be lost
   */
  update(keys: Tensor, values: Tensor): HeldTokens;
  /** What a query sees without new tokens: for cross attention. @throws LifetimeError before the first tokens */
  held(): HeldTokens;
  /**
   * Makes row i of the batch what row `order[i]` was: how beam search follows its best beams. Rows may repeat or be left
   * out.
   *
   * @throws RangeError if a row is not there; LifetimeError before the first tokens
   */
  reorder(order: ArrayLike<number>): void;
  /** Forgets all tokens; the memory stays where the next text of the same batch can use it. */
  reset(): void;
  /** Frees the memory; the cache is empty and may be used again, also for another batch. */
  dispose(): void;
}
