import { scope, type Tensor } from '@burin/tensor';
import type { KeyValueCache } from './key-value-cache.js';
import type { AttentionOptions } from './options.js';
import { scaledDotProductAttention } from './scaled-dot-product-attention.js';

/** What {@link cachedAttention} is told; where queries stand and how many keys there are, the cache says. */
export type CachedAttentionOptions = Omit<AttentionOptions, 'layout' | 'queryOffset' | 'keys'>;

/**
 * {@link scaledDotProductAttention} of new tokens over past ones and themselves; the cache takes them in. Masks and bias
 * are of all tokens that there were, also of those that a sliding cache has let go.
 *
 * @param q - `[B, T, H, D]`
 * @param k - `[B, T, K, D]`, the new tokens'
 * @param v - `[B, T, K, Dv]`
 * @param cache - null: the new tokens alone
 * @returns float32 `[B, T, H, Dv]`
 * @throws as {@link scaledDotProductAttention} and the cache's `update`; RangeError if the cache has let go of tokens that
 *   the queries see
 */
export function cachedAttention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  cache: KeyValueCache | null,
  options: CachedAttentionOptions,
): Tensor {
  if (!cache) return scaledDotProductAttention(q, k, v, { ...options, layout: 'bthd' });
  return scope(() => {
    const position = cache.length;
    const { keys, values, count, start } = cache.update(k, v);
    const { keyPaddingMask, bias, window } = options;
    checkHeld('cachedAttention', start, position, window ?? null);
    return scaledDotProductAttention(q, keys, values, {
      ...options,
      layout: 'bthd',
      queryOffset: position - start,
      keys: count,
      keyPaddingMask: keyPaddingMask ? tail(keyPaddingMask, start, count) : null,
      bias: bias ? tail(bias, start, count) : null,
    });
  });
}

/** The last axis of x, of which the first `start` were let go. */
function tail(x: Tensor, start: number, count: number): Tensor {
  return start === 0 ? x : x.narrow(x.shape.length - 1, start, count);
}

/**
 * Checks that a cache still holds all that the first of its new tokens sees.
 *
 * @param start - position of the first token that is held
 * @param position - of the first query
 * @param window - of the layer; null: all
 * @throws RangeError if tokens are gone; `who` is put before it
 */
export function checkHeld(who: string, start: number, position: number, window: number | null): void {
  const needed = window === null ? 0 : Math.max(0, position - window + 1);
  if (start <= needed) return;
  throw new RangeError(
    `${who}: the cache must hold what the queries see: expected tokens from position ${needed} on, got ${start} on; ` +
      `give a SlidingCache the window of its layer${window === null ? ', and this one, which has none, another cache' : ''}`,
  );
}
