import { type FourBitWeight, keep, noGrad, scope, Tensor, tensor } from '@burin/tensor';
import { copyRows } from './copy-rows.js';

/** How numbers are packed. */
export interface Packing {
  /** 8: 255 even steps between the largest |value| of a block and its negative. 4: the 16 steps of NF4. */
  bits: 4 | 8;
  /** Numbers that share a scale. */
  blockSize: number;
  /** Which ones: those of one token, or those of one channel, token after token. Some channels of keys are far larger. */
  along: 'token' | 'channel';
}

/**
 * A stretch of tokens in few bits, as `value[i] = step[code[i]] · absmax[floor(i / blockSize)]`. No block crosses from one
 * row of the batch to the next, so that rows can change places.
 *
 * | bytes a row of n numbers | |
 * | --- | --- |
 * | codes | n (8 bits), or n / 2 (4 bits; the first in the high nibble) |
 * | absmax | 4 · n / blockSize, float32 |
 */
export class PackedTokens {
  private readonly packing: Packing;
  private readonly rowShape: readonly number[]; // [T, K, D], or along a channel [K, D, T]
  private codes: Tensor; // [B, bytes] uint8
  private absmax: Tensor; // [B, blocks]

  /** @param tokens - float32 `[B, T, K, D]`, T a multiple of the block size */
  constructor(tokens: Tensor, steps: Tensor, packing: Packing) {
    const { bits, blockSize, along } = packing;
    const x = along === 'token' ? tokens : tokens.permute([0, 2, 3, 1]);
    const [batch, ...rowShape] = x.shape as [number, ...number[]];
    const size = x.size / batch;
    this.packing = packing;
    this.rowShape = rowShape;
    this.codes = keep(Tensor.allocate([batch, (size * bits) / 8], 'uint8', x.device));
    this.absmax = keep(Tensor.allocate([batch, size / blockSize], 'float32', x.device));
    const { kernels } = x.device;
    const [from, to, scales] = [x, this.codes, this.absmax].map(({ storage }) => storage.buffer);
    if (bits === 4) kernels.quantize4bit('nf4', from!, to!, scales!, x.size, blockSize);
    else kernels.quantize8bit(from!, steps.storage.buffer, to!, scales!, x.size, blockSize);
  }

  get byteLength(): number {
    return this.codes.byteLength + this.absmax.byteLength;
  }

  /** Writes the numbers, `[B, T, K, D]`, into y at token `start`. */
  unpackInto(y: Tensor, start: number, steps: Tensor): void {
    scope(() => {
      const x = Tensor.allocate([this.codes.shape[0]!, ...this.rowShape], 'float32', y.device);
      const { kernels } = y.device;
      const [codes, to, scales] = [this.codes, x, this.absmax].map(({ storage }) => storage.buffer);
      if (this.packing.bits === 4) kernels.dequantize4bit(this.fourBit(x.size), to!);
      else kernels.dequantize8bit(codes!, steps.storage.buffer, scales!, to!, x.size, this.packing.blockSize, 0);
      const tokens = this.packing.along === 'token' ? x : x.permute([0, 3, 1, 2]);
      noGrad(() => y.assign_(tokens, 1, start));
    });
  }

  reorder(order: ArrayLike<number>): void {
    const pick = (x: Tensor) => {
      const picked = keep(copyRows(x, order, x.byteLength / x.shape[0]!));
      x.dispose();
      return picked;
    };
    this.codes = pick(this.codes);
    this.absmax = pick(this.absmax);
  }

  dispose(): void {
    this.codes.dispose();
    this.absmax.dispose();
  }

  private fourBit(size: number): FourBitWeight {
    return {
      type: 'nf4',
      packed: this.codes.storage.buffer,
      size,
      blockSize: this.packing.blockSize,
      absmax: this.absmax.storage.buffer,
      ...{ absmaxCodes: null, nestedAbsmax: null, nestedCode: null, nestedOffset: 0, nestedBlockSize: 0 },
    };
  }
}

/** The 8-bit steps, `[256]`: −1, −126/127, ..., 1; the last entry is there twice. */
export function evenSteps(like: Tensor): Tensor {
  const steps = Float32Array.from({ length: 256 }, (_, code) => Math.min(1, (code - 127) / 127));
  return tensor(steps, [256], { device: like.device });
}
