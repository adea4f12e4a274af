import { checkOptions, countNonFinite, isFloating, keep, scope, Tensor, tensor, widen } from '@burin/tensor';
import { quantizeBlockwise8 } from './blockwise-8bit.js';
import type { FourBitType } from './code-tables.js';
import { type NestedScales, type OriginalDtype, QuantizedTensor } from './quantized-tensor.js';

/** How numbers become 4 bits. */
export interface Quantize4bitOptions {
  /** Default `'nf4'`. */
  type?: FourBitType;
  /** Elements that share a scale: a power of two from 32 to 4096. Default 64. */
  blockSize?: number;
  /** Quantize the scales to 8 bits as well, in blocks of 256. Default false. */
  doubleQuant?: boolean;
}

/** Scales that share a scale of their own. */
const NESTED_BLOCK_SIZE = 256;

/**
 * Quantizes to 4 bits: each element becomes the code whose number is nearest to it, divided by the largest |value| of its
 * block. Ties go to the lower number; a block of zeros gives zeros. Bytes are those of bitsandbytes.
 *
 * `x` is read before the first `await`: it may be freed once the call has returned.
 *
 * @param x - floating-point, not empty, any shape; no size has to be a multiple of the block
 * @returns 4 bits an element, and 32 bits a block, or 8 and a little with double quantization
 * @throws RangeError if `x` is empty or holds NaN or infinities, the block size is none of those that are allowed, or an
 *   option is unknown
 * @see Dettmers et al. 2023, https://arxiv.org/abs/2305.14314
 * @example
 * const weight = await quantize4bit(linear.floatWeight(), { doubleQuant: true });
 */
export async function quantize4bit(x: Tensor, options: Quantize4bitOptions = {}): Promise<QuantizedTensor> {
  checkOptions('quantize4bit', options, ['type', 'blockSize', 'doubleQuant']);
  const { type = 'nf4', blockSize = 64, doubleQuant = false } = options;
  checkArguments(x, type, blockSize);
  const { packed, absmax, broken } = pack(x, type, blockSize);
  try {
    const count = await broken.item();
    if (count > 0) {
      throw new RangeError(
        `quantize4bit: every value must be finite, got ${count} of ${x.size} that are NaN or infinite`,
      );
    }
    const scales = doubleQuant ? await nest(absmax) : { absmax };
    const originalDtype = x.dtype as OriginalDtype;
    return new QuantizedTensor({ type, shape: x.shape, blockSize, packed, scales, originalDtype });
  } catch (error) {
    packed.dispose();
    absmax.dispose();
    throw error;
  } finally {
    broken.dispose();
  }
}

function pack(x: Tensor, type: FourBitType, blockSize: number) {
  const parts = scope(() => {
    const wide = widen(x, 'quantize4bit').detach();
    const { device, size } = wide;
    const packed = Tensor.allocate([Math.ceil(size / 2), 1], 'uint8', device);
    const absmax = Tensor.allocate([Math.ceil(size / blockSize)], 'float32', device);
    const [from, to, scales] = [wide, packed, absmax].map(({ storage }) => storage.buffer);
    device.kernels.quantize4bit(type, from!, to!, scales!, size, blockSize);
    return { packed, absmax, broken: countNonFinite(wide) };
  });
  for (const part of Object.values(parts)) keep(part);
  return parts;
}

/** Quantizes the scales' distances from their mean with the signed dynamic map. Frees `absmax`. */
async function nest(absmax: Tensor): Promise<NestedScales> {
  const scales = (await absmax.data()) as Float32Array;
  const nestedOffset = Math.fround(scales.reduce((sum, scale) => sum + scale, 0) / scales.length);
  const centered = tensor(
    scales.map((scale) => scale - nestedOffset),
    [scales.length],
    { device: absmax.device },
  );
  const nested = quantizeBlockwise8(centered, { blockSize: NESTED_BLOCK_SIZE });
  centered.dispose();
  absmax.dispose();
  return {
    absmaxCodes: nested.codes,
    nestedAbsmax: nested.absmax,
    nestedCode: nested.code,
    nestedOffset,
    nestedBlockSize: NESTED_BLOCK_SIZE,
  };
}

function checkArguments(x: Tensor, type: FourBitType, blockSize: number): void {
  checkBlockSize('quantize4bit', blockSize);
  if (type !== 'nf4' && type !== 'fp4')
    throw new RangeError(`quantize4bit: type must be nf4 or fp4, got ${String(type)}`);
  if (x.size === 0) throw new RangeError(`quantize4bit: x must not be empty, got [${x.shape}]`);
  if (!isFloating(x.dtype)) widen(x, 'quantize4bit'); // throws, and says how to convert
}

/** @throws RangeError unless it is one that bitsandbytes knows */
export function checkBlockSize(who: string, blockSize: number): void {
  const isKnown = blockSize >= 32 && blockSize <= 4096 && Number.isInteger(Math.log2(blockSize));
  if (!isKnown) throw new RangeError(`${who}: blockSize must be a power of two from 32 to 4096, got ${blockSize}`);
}
