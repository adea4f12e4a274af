import type { DeviceBuffer } from '../device.js';
import type { FourBitWeight, QuantizationKernels } from '../kernels/quantization.js';
import { gpuBuffer } from './buffer.js';
import { CODE_OF, type FourBitType, returnFourWeights, scaledBy, weightAt, weightFunctions } from './four-bit.js';
import { isNan } from './functions.js';
import { family, gpuKernel } from './kernel.js';
import type { Launcher, Scratch } from './launcher.js';
import { runFourBitProduct } from './matmul-four-bit.js';
import type { GpuMemory } from './memory.js';
import { packTriples, unpackTriples } from './triples.js';
import { quotientOf } from './walk.js';

const largestOfBlock = gpuKernel(
  'largestOfBlock',
  ['x'],
  { size: 'Integer', blockSize: 'Integer' },
  `let largest = 0;
   for (let i = 0; i < blockSize; i++) {
     if (this.thread.x * blockSize + i < size) {
       const value = Math.abs(x[this.thread.x * blockSize + i]);
       if (value > largest) { largest = value; }
       if (isNan(value) > 0) { largest = value; }
     }
   }
   return largest;`,
  { functions: [isNan] },
);

/** A byte: two codes. A lone last code has that of 0 beside it. */
const codesOfByte = family((type: FourBitType) =>
  gpuKernel(
    `codesOfByte(${type})`,
    ['x', 'absmax'],
    { size: 'Integer', blockSize: 'Integer', whole: 'Integer' },
    `${scaledAt('first', 'this.thread.x * 2')}
     let second = 0;
     if (this.thread.x * 2 + 1 < size) {
       ${scaledAt('other', 'this.thread.x * 2 + 1')}
       second = other;
     }
     return codeOf(first) * 16 + codeOf(second);`,
    { functions: [scaledBy, CODE_OF[type], quotientOf] },
  ),
);

/** `const name`: x at an index, scaled by its block; `whole` is how many elements stand in whole blocks. */
function scaledAt(name: string, at: string): string {
  return `let ${name}Partial = 0;
     if (${at} >= whole) { ${name}Partial = 1; }
     const ${name} = scaledBy(x[${at}], absmax[quotientOf(${at}, blockSize)], ${name}Partial);`;
}

const dequantizeCodes = family((type: FourBitType) =>
  gpuKernel(
    `dequantizeCodes(${type})`,
    ['packed', 'scales'],
    { blockSize: 'Integer', start: 'Integer' },
    `return ${weightAt('this.thread.x + start')};`,
    { functions: weightFunctions(type) },
  ),
);

/** Four at a time: twice to three times as fast. Starts and block sizes are multiples of four. */
const dequantizeFours = family((type: FourBitType) =>
  gpuKernel(
    `dequantizeFours(${type})`,
    ['packed', 'scales'],
    { blockSize: 'Integer', start: 'Integer' },
    returnFourWeights('(this.thread.x * 4 + start)'),
    { functions: weightFunctions(type), width: 4 },
  ),
);

const nestedScale = gpuKernel(
  'nestedScale',
  ['codes', 'code', 'absmax'],
  { blockSize: 'Integer', offset: 'Float' },
  'return code[codes[this.thread.x]] * absmax[quotientOf(this.thread.x, blockSize)] + offset;',
  { functions: [quotientOf] },
);

/** How many of the 255 midpoints of `code` are below x, by halving. */
const nearestOf256 = gpuKernel(
  'nearestOf256',
  ['x', 'code', 'absmax'],
  { blockSize: 'Integer', whole: 'Integer' },
  `${scaledAt('value', 'this.thread.x')}
   let low = 0;
   let step = 128;
   for (let halving = 0; halving < 8; halving++) {
     if ((code[low + step - 1] + code[low + step]) * 0.5 < value) { low = low + step; }
     step = step * 0.5;
   }
   return low;`,
  { functions: [scaledBy, quotientOf] },
);

export function quantizationKernels(launcher: Launcher, memory: GpuMemory): QuantizationKernels {
  const wholeBlocks = (size: number, blockSize: number) => size - (size % blockSize);

  return {
    quantize4bit(type, x, packed, absmax, size, blockSize) {
      const bytes = gpuBuffer(packed);
      unpackTriples(launcher, memory, bytes);
      launcher.launch(largestOfBlock, absmax, Math.ceil(size / blockSize), [x], [size, blockSize]);
      const scalars = [size, blockSize, wholeBlocks(size, blockSize)];
      launcher.launch(codesOfByte(type), packed, Math.ceil(size / 2), [x, absmax], scalars);
      packTriples(launcher, memory, bytes);
    },

    dequantize4bit(weight, y) {
      withPacked(launcher, memory, weight, (scales) => dequantize(launcher, weight, scales, y, 0, weight.size));
    },

    quantize8bit(x, code, codes, absmax, size, blockSize) {
      launcher.launch(largestOfBlock, absmax, Math.ceil(size / blockSize), [x], [size, blockSize]);
      launcher.launch(nearestOf256, codes, size, [x, code, absmax], [blockSize, wholeBlocks(size, blockSize)]);
    },

    dequantize8bit(codes, code, absmax, y, size, blockSize, offset) {
      launcher.launch(nestedScale, y, size, [codes, code, absmax], [blockSize, offset]);
    },

    matmul4bit(x, weight, bias, y, m, outFeatures, inFeatures, transpose, accumulate) {
      withPacked(launcher, memory, weight, (scales) => {
        const decode = (to: Scratch, start: number, count: number) =>
          dequantize(launcher, weight, scales, to, start, count);
        const shape = { m, outFeatures, inFeatures, transpose, accumulate };
        runFourBitProduct(launcher, { x, weight, scales, bias, y, ...shape }, decode);
      });
    },
  };
}

/** Numbers `start .. start + count` of the flattened weight. */
function dequantize(
  launcher: Launcher,
  { type, packed, blockSize }: FourBitWeight,
  scales: DeviceBuffer | Scratch,
  y: DeviceBuffer | Scratch,
  start: number,
  count: number,
): void {
  const inputs = [packed, scales];
  const areFours = [start, count, blockSize].every((number) => number % 4 === 0);
  if (areFours) launcher.launch(dequantizeFours(type), y, count / 4, inputs, [blockSize, start]);
  else launcher.launch(dequantizeCodes(type), y, count, inputs, [blockSize, start]);
}

/** Sees to it that the codes are packed, and gives `use` one scale a block. */
function withPacked(
  launcher: Launcher,
  memory: GpuMemory,
  weight: FourBitWeight,
  use: (scales: DeviceBuffer | Scratch) => void,
): void {
  packTriples(launcher, memory, gpuBuffer(weight.packed));
  if (weight.absmax) {
    use(weight.absmax);
    return;
  }
  const { absmaxCodes, nestedCode, nestedAbsmax, nestedBlockSize, nestedOffset } = weight;
  const blocks = Math.ceil(weight.size / weight.blockSize);
  launcher.withScratch(blocks, (scales) => {
    const inputs = [absmaxCodes!, nestedCode!, nestedAbsmax!];
    launcher.launch(nestedScale, scales, blocks, inputs, [nestedBlockSize, nestedOffset]);
    use(scales);
  });
}
