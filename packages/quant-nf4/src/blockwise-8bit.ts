import { buffer } from '@burin/nn';
import { ShapeError, scope, Tensor, tensor, widen } from '@burin/tensor';
import { dynamicMap } from './code-tables.js';

/** How numbers become 8 bits. */
export interface Blockwise8Options {
  /** 256 entries in rising order. Default: the signed dynamic map. */
  map?: Readonly<Float32Array>;
  /** Default 4096, as in bitsandbytes. */
  blockSize?: number;
}

/** Numbers in 8 bits: `value[i] = code[codes[i]] · absmax[floor(i / blockSize)]`. */
export interface Blockwise8 {
  readonly codes: Tensor; // uint8, the shape of what was quantized
  readonly absmax: Tensor; // [ceil(size / blockSize)] float32
  readonly code: Tensor; // [256] float32
  readonly blockSize: number;
}

/**
 * Quantizes to 8 bits: each element becomes the number of the entry of a map that is nearest to it, divided by the
 * largest |value| of its block. Ties go to the lower entry; a block of zeros has scale 0. The codes are bitsandbytes'.
 *
 * @param x - floating-point, any shape; the last block may be shorter
 * @throws RangeError if the map has not 256 rising entries, or the block size is not a whole number of 1 or more
 * @see Dettmers et al. 2022, https://arxiv.org/abs/2110.02861
 */
export function quantizeBlockwise8(
  x: Tensor,
  { map = dynamicMap(true), blockSize = 4096 }: Blockwise8Options = {},
): Blockwise8 {
  checkMap(map);
  if (!Number.isInteger(blockSize) || blockSize < 1) {
    throw new RangeError(`quantizeBlockwise8: blockSize must be a whole number of 1 or more, got ${blockSize}`);
  }
  const parts = scope(() => {
    const wide = widen(x, 'quantizeBlockwise8').detach();
    const { device, size } = wide;
    const code = tensor(Float32Array.from(map), [256], { device });
    const codes = Tensor.allocate(x.shape, 'uint8', device);
    const absmax = Tensor.allocate([Math.ceil(size / blockSize)], 'float32', device);
    const [from, table, to, scales] = [wide, code, codes, absmax].map(({ storage }) => storage.buffer);
    device.kernels.quantize8bit(from!, table!, to!, scales!, size, blockSize);
    return { codes, absmax, code };
  });
  return { codes: buffer(parts.codes), absmax: buffer(parts.absmax), code: buffer(parts.code), blockSize };
}

/**
 * The numbers as float32, plus `offset`.
 *
 * @throws ShapeError if there is not one scale for each block
 */
export function dequantizeBlockwise8(quantized: Blockwise8, { offset = 0 }: { offset?: number } = {}): Tensor {
  const { codes, absmax, code, blockSize } = quantized;
  const blocks = Math.ceil(codes.size / blockSize);
  if (absmax.size !== blocks) {
    throw new ShapeError(
      `dequantizeBlockwise8: absmax must have one scale a block: expected ${blocks}, got ${absmax.size}`,
    );
  }
  const y = Tensor.allocate(codes.shape, 'float32', codes.device);
  const [from, table, scales, to] = [codes, code, absmax, y].map(({ storage }) => storage.buffer);
  y.device.kernels.dequantize8bit(from!, table!, scales!, to!, codes.size, blockSize, offset);
  return y;
}

function checkMap(map: Readonly<Float32Array>): void {
  if (map.length === 256 && map.every((entry, i) => i === 0 || entry >= map[i - 1]!)) return;
  throw new RangeError(`quantizeBlockwise8: the map must have 256 entries in rising order, got ${map.length}`);
}
