export { Dropout } from './dropout.js';
export { checkIds, Embedding, type EmbeddingOptions } from './embedding.js';
export * as init from './init.js';
export { isLinearLike, Linear, type LinearLike, type LinearOptions } from './linear.js';
export {
  bceWithLogits,
  type CrossEntropyOptions,
  checkLabels,
  crossEntropy,
  klDiv,
  mse,
  type Reduction,
} from './losses.js';
export { buffer, Module } from './module.js';
export { Parameter } from './parameter.js';
export { sinusoidalPositions } from './positions.js';
export { type HeadLayout, RotaryEmbedding } from './rotary.js';
export { type RotaryOptions, type RotaryScaling, rotaryFrequencies } from './rotary-frequencies.js';
export { type LoadReport, loadStateDict, stateDict } from './state.js';
