export { type BceOptions, bceWithLogits } from './bce-with-logits.js';
export { Conv1D } from './conv1d.js';
export { type CrossEntropyOptions, crossEntropy } from './cross-entropy.js';
export { Dropout } from './dropout.js';
export { Embedding, type EmbeddingOptions } from './embedding.js';
export { checkIds, checkLabels } from './host-checks.js';
export { hostPositions } from './host-positions.js';
export * as init from './init.js';
export { type KlDivOptions, klDiv } from './kl-div.js';
export { isLinearLike, Linear, type LinearLike, type LinearOptions } from './linear.js';
export { type LinearCrossEntropyOptions, linearCrossEntropy } from './linear-cross-entropy.js';
export { buffer, Module } from './module.js';
export { mse } from './mse.js';
export { Parameter } from './parameter.js';
export { plainLayer } from './plain-layer.js';
export { type SinusoidalOptions, sinusoidalPositions } from './positions.js';
export type { Reduction } from './reduction.js';
export { type HeadLayout, RotaryEmbedding } from './rotary.js';
export {
  type DynamicScaling,
  type LinearScaling,
  type Llama3Scaling,
  type LongRopeScaling,
  type RotaryFrequencies,
  type RotaryOptions,
  type RotaryScaling,
  rotaryFrequencies,
  type YarnScaling,
} from './rotary-frequencies.js';
export { compareNames, type LoadReport, loadStateDict, refuseDifferences, stateDict, stateTargets } from './state.js';
export { STORED_DTYPES, type StoredDtype, tensorDtype } from './stored-dtype.js';
export { loadStored, type StoredFile, type StoredTensor, storedState, storedTensors } from './stored-state.js';
