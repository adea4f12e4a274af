/** What the WebAssembly module exports: kernels over ranges of independent units, and nothing else. */
export { attention, attentionScratch, attentionUnits } from './attention';
export { attentionBackward, attentionBackwardScratch, attentionBackwardUnits } from './attention-backward';
export { attentionStrips, attentionStripsScratch, attentionStripsUnits } from './attention-strip';
export {
  attentionStripsBackward, attentionStripsBackwardScratch, attentionStripsBackwardUnits, attentionStripsSum,
  attentionStripsSums,
} from './attention-strip-backward';
export * from './binary';
export { bceWithLogits, bceWithLogitsBackward } from './binary-cross-entropy';
export { columnMoments, columnNorm, columnNormBackward } from './column-norm';
export { blasProduct } from './blas';
export * from './cast';
export { channelMoments, channelNorm, channelNormBackward } from './channel-norm';
export { turnTiles, turnTilesScratch } from './code-tiles';
export { crossEntropy, crossEntropyBackward } from './cross-entropy';
export { argmax, reduceExtremumBackward } from './extremum';
export * from './fill';
export * from './gated';
export * from './heap';
export { addColumnSums, layerNorm, layerNormBackward } from './layer-norm';
export { fillTables, tablesBytes } from './lookup-tables';
export { matmul, matmulScratch, matmulUnits } from './matmul';
export { lookUpProduct, lookUpUnits } from './matmul-lookup';
export { adam, sgd } from './optimizer';
export { dropout, normal, philoxWords, uniform } from './random';
export {
  dequantize4bit, dequantize8bit, quantize4bit, quantize4bitScratch, quantize8bit, quantize8bitScratch,
} from './quantize';
export * from './reduce';
export { rmsNorm, rmsNormBackward } from './rms-norm';
export { rope } from './rope';
export * from './rows';
export { logSoftmax, logSoftmaxBackward, softmax, softmaxBackward } from './softmax';
export * from './strided';
export * from './unary';
export * from './where';
