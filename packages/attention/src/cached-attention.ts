import { checkOptions, scope, type Tensor } from '@burin/tensor';
import { headSizes } from './head-layout.js';
import type { KeyValueCache } from './key-value-cache.js';
import { ATTENTION_OPTIONS, type AttentionOptions } from './options.js';
import { checkMasks, splitSegments } from './plan.js';
import { scaledDotProductAttention } from './scaled-dot-product-attention.js';

/** What {@link cachedAttention} is told; where queries stand and how many keys there are, the cache says. */
export type CachedAttentionOptions = Omit<AttentionOptions, 'layout' | 'queryOffset' | 'keys'>;

/**
 * {@link scaledDotProductAttention} of new tokens over past ones and themselves; the cache takes them in. Masks, bias and
 * the segments of keys are of all tokens that there were, also of those that a sliding cache has let go. Where they do not
 * fit, the cache stays as it was.
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
    const who = 'cachedAttention';
    checkOptions(who, options, ATTENTION_OPTIONS);
    const position = cache.length;
    const all = position + headSizes(who, 'k', k, 'bthd').tokens;
    checkMasks(who, headSizes(who, 'q', q, 'bthd'), all, options);
    const { keys, values, count, start } = cache.update(k, v);
    checkHeld(who, start, position, options.window ?? null);
    return scaledDotProductAttention(q, keys, values, {
      ...(start === 0 ? options : withoutFirst(options, start, count)),
      layout: 'bthd',
      queryOffset: position - start,
      keys: count,
    });
  });
}

/** Masks of the `count` keys that are held, of which `start` before them were let go. */
function withoutFirst(options: CachedAttentionOptions, start: number, count: number): CachedAttentionOptions {
  const { keyPaddingMask = null, bias = null } = options;
  const [query, key] = splitSegments(options.segments);
  return {
    ...options,
    keyPaddingMask: keyPaddingMask && tail(keyPaddingMask, start, count),
    bias: bias && tail(bias, start, count),
    segments: query && key && { query, key: tail(key, start, count) },
  };
}

/** The last axis of x from `start` on. */
function tail(x: Tensor, start: number, count: number): Tensor {
  return x.narrow(x.shape.length - 1, start, count);
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
