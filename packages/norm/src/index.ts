export { BatchNorm, type BatchNormOptions } from './batch-norm.js';
export { clipGradNorm_, type GradNormOptions, gradNorm } from './clip-grad-norm.js';
export { LayerNorm, layerNorm } from './layer-norm.js';
export { type Layer, PostNormResidual, PreNormResidual } from './residual.js';
export { RmsNorm, rmsNorm } from './rms-norm.js';
export type { NormOptions } from './row-norm.js';
export { type NormOrder, type VectorNormOptions, vectorNorm } from './vector-norm.js';
