import type { QuantizationKernels } from '../kernels/quantization.js';
import { type BlasSource, fitsBlas, NO_BLAS, runFourBitBlas } from './blas.js';
import { DEQUANTIZE_4_BIT, ELEMENT, QUANTIZE_4_BIT, QUANTIZE_8_BIT } from './cost.js';
import { type Engine, pointer } from './engine.js';
import { FOUR_BIT_TYPES, weightWords } from './four-bit.js';
import { matmulFourBit } from './matmul.js';

export function quantizationKernels(engine: Engine, blas: BlasSource = NO_BLAS): QuantizationKernels {
  const { exports } = engine;
  return {
    quantize4bit(type, x, packed, absmax, size, blockSize) {
      const [from, to, scales] = [pointer(x), pointer(packed), pointer(absmax)];
      // blocks of an odd size share a byte with their neighbours, so that threads must not
      const unitCost = blockSize % 2 === 0 ? blockSize * QUANTIZE_4_BIT : 0;
      engine.run(
        'quantize4bit',
        [FOUR_BIT_TYPES[type], from, to, scales, size, blockSize],
        Math.ceil(size / blockSize),
        unitCost,
        exports.quantize4bitScratch(),
      );
    },

    dequantize4bit(weight, y) {
      const blocks = Math.ceil(weight.size / weight.blockSize);
      const words = engine.metadata(weightWords(weight));
      engine.run('dequantize4bit', [words, pointer(y), 0], blocks, weight.blockSize * DEQUANTIZE_4_BIT);
    },

    quantize8bit(x, code, codes, absmax, size, blockSize) {
      const [from, table, to, scales] = [pointer(x), pointer(code), pointer(codes), pointer(absmax)];
      const blocks = Math.ceil(size / blockSize);
      engine.run(
        'quantize8bit',
        [from, table, to, scales, size, blockSize],
        blocks,
        blockSize * QUANTIZE_8_BIT,
        exports.quantize8bitScratch(),
      );
    },

    dequantize8bit(codes, code, absmax, y, size, blockSize, offset) {
      const [from, table, scales, to] = [pointer(codes), pointer(code), pointer(absmax), pointer(y)];
      engine.run(
        'dequantize8bit',
        [from, table, scales, to, size, blockSize, offset],
        Math.ceil(size / blockSize),
        blockSize * 7 * ELEMENT,
      );
    },

    matmul4bit(x, weight, bias, y, m, outFeatures, inFeatures, transpose, accumulate) {
      const [n, k] = transpose ? [inFeatures, outFeatures] : [outFeatures, inFeatures];
      const library = fitsBlas({ m, n, k, bias, accumulate }) ? blas.get() : null;
      if (library) {
        const operands = { x: pointer(x), y: pointer(y), bias: pointer(bias), blockSize: weight.blockSize };
        const product = { ...operands, m, outFeatures, inFeatures, transpose, accumulate };
        return runFourBitBlas(library, engine, product, weightWords(weight));
      }
      const sizes = { batch: 1, m, n, k, aStride: 0, bStride: 0 };
      const options = { transposeA: false, transposeB: !transpose, alpha: 1, accumulate };
      matmulFourBit(engine, { a: x, y, bias, ...sizes, ...options }, weight);
    },
  };
}
