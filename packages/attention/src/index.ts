export { attentionWeights } from './attention-weights.js';
export { KeyValueCache, type KeyValueCacheOptions } from './key-value-cache.js';
export { type AttendOptions, type AttentionSettings, MultiHeadAttention } from './multi-head-attention.js';
export type { AttentionMasks, AttentionOptions } from './options.js';
export { fromPackedProjection, type SplitProjection } from './packed-projection.js';
export type { Projections, ProjectionWidths } from './projections.js';
export { scaledDotProductAttention } from './scaled-dot-product-attention.js';
