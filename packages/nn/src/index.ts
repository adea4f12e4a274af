export { Dropout } from './dropout.js';
export { checkIds, Embedding, type EmbeddingOptions } from './embedding.js';
export * as init from './init.js';
export { isLinearLike, Linear, type LinearLike, type LinearOptions } from './linear.js';
export {
  bceWithLogits,
  checkLabels,
  crossEntropy,
  type CrossEntropyOptions,
  klDiv,
  mse,
  type Reduction,
} from './losses.js';
export { buffer, Module } from './module.js';
export { Parameter } from './parameter.js';
export { sinusoidalPositions } from './positions.js';
export { type HeadLayout, RotaryEmbedding } from './rotary.js';
export { rotaryFrequencies, type RotaryOptions, type RotaryScaling } from './rotary-frequencies.js';
export { type LoadReport, loadStateDict, stateDict } from './state.js';
