export { attentionWeights } from './attention-weights.js';
export { type CachedAttentionOptions, cachedAttention } from './cached-attention.js';
export { DynamicCache } from './dynamic-cache.js';
export type { HeldTokens, KeyValueCache } from './key-value-cache.js';
export {
  type LatentAttendOptions,
  LatentAttention,
  type LatentProjections,
  type LatentSettings,
} from './latent-attention.js';
export { type AttendOptions, type AttentionSettings, MultiHeadAttention } from './multi-head-attention.js';
export type { AttentionMasks, AttentionOptions } from './options.js';
export { fromPackedProjection, type SplitProjection } from './packed-projection.js';
export type { Projections, ProjectionWidths } from './projections.js';
export { QuantizedCache, type QuantizedCacheOptions } from './quantized-cache.js';
export { scaledDotProductAttention } from './scaled-dot-product-attention.js';
export { SlidingCache } from './sliding-cache.js';
export { StaticCache } from './static-cache.js';
