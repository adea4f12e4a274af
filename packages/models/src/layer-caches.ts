import { DynamicCache, type KeyValueCache, QuantizedCache, SlidingCache, StaticCache } from '@burin/attention';
import type { NextTokenModel } from './causal-model.js';
import type { CacheKind } from './generate-options.js';

/** Tokens that a growing cache has room for at first beyond its prompt, so that short texts take little. */
const FIRST_ROOM = 128;

/** How long texts will be. */
export interface ExpectedLength {
  prompt: number;
  most: number;
}

/**
 * One cache a layer.
 *
 * @throws RangeError if a sliding cache is asked for and no layer has a window
 */
export function layerCaches(
  { numHiddenLayers, slidingWindows = [] }: NextTokenModel['config'],
  kind: CacheKind | ((layer: number) => KeyValueCache),
  { prompt, most }: ExpectedLength,
): KeyValueCache[] {
  if (kind === 'sliding' && !slidingWindows.some((window) => window !== null)) {
    throw new RangeError(
      "generate: cache: 'sliding' is for layers that see a window, and this model has none; use 'dynamic', which is the default",
    );
  }
  const dynamic = () => new DynamicCache({ capacity: Math.min(most, prompt + FIRST_ROOM) });
  const make = (layer: number): KeyValueCache => {
    if (typeof kind === 'function') return kind(layer);
    const window = slidingWindows[layer] ?? null;
    if (kind === 'sliding' && window !== null) return new SlidingCache({ window });
    if (kind === 'static') return new StaticCache({ maxLength: most });
    return kind === 'quantized' ? new QuantizedCache() : dynamic();
  };
  return Array.from({ length: numHiddenLayers }, (_, layer) => make(layer));
}
