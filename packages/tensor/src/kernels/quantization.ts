import type { DeviceBuffer } from '../device.js';

/**
 * A 4-bit weight as bitsandbytes stores it. Two codes a byte, the first in the high nibble, blocks of `blockSize` over
 * the flattened tensor (they may cross rows; the last may be shorter).
 *
 *     value[i] = code[i] · scale[floor(i / blockSize)]
 *     scale[j] = absmax[j]                                                                 plain
 *     scale[j] = nestedCode[absmaxCodes[j]] · nestedAbsmax[floor(j / nestedBlockSize)] + nestedOffset     double
 */
export interface FourBitWeight {
  type: 'nf4' | 'fp4';
  packed: DeviceBuffer; // ceil(size / 2) bytes
  size: number;
  blockSize: number;
  absmax: DeviceBuffer | null; // [blocks] float32, plain quantization
  absmaxCodes: DeviceBuffer | null; // [blocks] uint8, double quantization
  nestedAbsmax: DeviceBuffer | null; // [ceil(blocks / nestedBlockSize)] float32
  nestedCode: DeviceBuffer | null; // [256] float32
  nestedOffset: number;
  nestedBlockSize: number;
}

/** 4-bit and 8-bit weights. */
export interface QuantizationKernels {
  /** Packs x into 4-bit codes and one absmax a block; bytes as bitsandbytes' (Dettmers et al. 2023, arXiv 2305.14314). */
  quantize4bit(
    type: 'nf4' | 'fp4',
    x: DeviceBuffer,
    packed: DeviceBuffer,
    absmax: DeviceBuffer,
    size: number,
    blockSize: number,
  ): void;

  dequantize4bit(weight: FourBitWeight, y: DeviceBuffer): void;

  /** Nearest entry of the sorted `code` [256] to x / absmax of its block; ties to the lower entry. */
  quantize8bit(
    x: DeviceBuffer,
    code: DeviceBuffer,
    codes: DeviceBuffer, // [size] uint8
    absmax: DeviceBuffer, // [ceil(size / blockSize)]
    size: number,
    blockSize: number,
  ): void;

  /** `y[i] = code[codes[i]] · absmax[block] + offset`. */
  dequantize8bit(
    codes: DeviceBuffer,
    code: DeviceBuffer,
    absmax: DeviceBuffer,
    y: DeviceBuffer,
    size: number,
    blockSize: number,
    offset: number,
  ): void;

  /**
   * W is `[outFeatures, inFeatures]` in 4 bits. Forward (`transpose` false): `y[m, out] = x[m, in] · Wᵀ (+ bias)`.
   * Input gradient (`transpose` true): `y[m, in] = x[m, out] · W`. Dequantizes while packing panels: the float weight is
   * never whole. bias is [out] or null, and null where transposed. Adds to y if `accumulate`.
   */
  matmul4bit(
    x: DeviceBuffer,
    weight: FourBitWeight,
    bias: DeviceBuffer | null,
    y: DeviceBuffer,
    m: number,
    outFeatures: number,
    inFeatures: number,
    transpose: boolean,
    accumulate: boolean,
  ): void;
}
