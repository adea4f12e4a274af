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
 * @throws as {@link scaledDotProductAttention} and the cache's `update`
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
    const { keyPaddingMask, bias } = options;
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
