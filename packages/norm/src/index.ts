export { BatchNorm, type BatchNormOptions } from './batch-norm.js';
export { clipGradNorm_, gradNorm, type GradNormOptions } from './clip-grad-norm.js';
export { LayerNorm, layerNorm } from './layer-norm.js';
export { type Layer, PostNormResidual, PreNormResidual } from './residual.js';
export { RmsNorm, rmsNorm } from './rms-norm.js';
export type { NormOptions } from './row-norm.js';
export { type NormOrder, vectorNorm, type VectorNormOptions } from './vector-norm.js';
