export {
  type CheckpointEntry,
  fromBitsandbytes,
  quantizedNames,
  quantizedState,
  toBitsandbytes,
} from './bitsandbytes.js';
export { type Blockwise8, type Blockwise8Options, dequantizeBlockwise8, quantizeBlockwise8 } from './blockwise-8bit.js';
export { DEFAULT_SKIP, type LayerChoice, type LayerPattern } from './choose-layers.js';
export { dynamicMap, type FourBitType, FP4_CODE, NF4_CODE } from './code-tables.js';
export { Linear4bit } from './linear-4bit.js';
export { loadQuantized } from './load-quantized.js';
export { linear4bit } from './matmul-4bit.js';
export { type Quantize4bitOptions, quantize4bit } from './quantize-4bit.js';
export {
  type ConversionReport,
  type ConvertedLayer,
  dequantizeModel,
  type QuantizeModelOptions,
  quantizeModel,
} from './quantize-model.js';
export {
  type NestedScales,
  type OriginalDtype,
  type PlainScales,
  type QuantizedParts,
  QuantizedTensor,
} from './quantized-tensor.js';
export { type FourBitConversion, to4bit } from './to-4bit.js';
