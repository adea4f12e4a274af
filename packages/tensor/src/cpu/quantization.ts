import type { FourBitWeight, QuantizationKernels } from '../kernels/quantization.js';
import { floatBits } from './call.js';
import { type Engine, pointer } from './engine.js';
import { matmulFourBit } from './matmul.js';

/** `type` in assembly/four-bit.ts. */
const TYPES = { nf4: 0, fp4: 1 } as const;

export function quantizationKernels(engine: Engine): QuantizationKernels {
  const { exports } = engine;
  return {
    quantize4bit(type, x, packed, absmax, size, blockSize) {
      const [from, to, scales] = [pointer(x), pointer(packed), pointer(absmax)];
      const scratch = engine.workspace(exports.quantize4bitScratch());
      exports.quantize4bit(TYPES[type], from, to, scales, size, blockSize, 0, Math.ceil(size / blockSize), scratch);
    },

    dequantize4bit(weight, y) {
      const blocks = Math.ceil(weight.size / weight.blockSize);
      exports.dequantize4bit(engine.metadata(weightWords(weight)), pointer(y), 0, blocks);
    },

    quantize8bit(x, code, codes, absmax, size, blockSize) {
      const [from, table, to, scales] = [pointer(x), pointer(code), pointer(codes), pointer(absmax)];
      const scratch = engine.workspace(exports.quantize8bitScratch());
      exports.quantize8bit(from, table, to, scales, size, blockSize, 0, Math.ceil(size / blockSize), scratch);
    },

    dequantize8bit(codes, code, absmax, y, size, blockSize, offset) {
      const [from, table, scales, to] = [pointer(codes), pointer(code), pointer(absmax), pointer(y)];
      exports.dequantize8bit(from, table, scales, to, size, blockSize, offset, 0, Math.ceil(size / blockSize));
    },

    matmul4bit(x, weight, bias, y, m, outFeatures, inFeatures, transpose, accumulate) {
      const [n, k] = transpose ? [inFeatures, outFeatures] : [outFeatures, inFeatures];
      const sizes = { batch: 1, m, n, k, aStride: 0, bStride: 0 };
      const options = { transposeA: false, transposeB: !transpose, alpha: 1, accumulate };
      matmulFourBit(engine, { a: x, y, bias, ...sizes, ...options }, weightWords(weight));
    },
  };
}

/** The words of `FourBitWeight` in assembly/four-bit.ts. */
function weightWords(weight: FourBitWeight): number[] {
  return [
    TYPES[weight.type],
    pointer(weight.packed),
    weight.size,
    weight.blockSize,
    pointer(weight.absmax),
    pointer(weight.absmaxCodes),
    pointer(weight.nestedAbsmax),
    pointer(weight.nestedCode),
    floatBits(weight.nestedOffset),
    weight.nestedBlockSize,
  ];
}
