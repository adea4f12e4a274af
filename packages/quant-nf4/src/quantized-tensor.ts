import { Module } from '@burin/nn';
import { type FourBitWeight, type Shape, ShapeError, Tensor } from '@burin/tensor';
import type { FourBitType } from './code-tables.js';

/** What a quantized tensor is made of. Tensors are taken over: they belong to no scope from then on. */
export interface QuantizedParts {
  type: FourBitType;
  shape: Shape;
  blockSize: number;
  packed: Tensor;
  scales: PlainScales | NestedScales;
  /** How the numbers were stored before; written into files. Default float32. */
  originalDtype?: OriginalDtype;
}

/** What a weight was before it was quantized: what checkpoints name. */
export type OriginalDtype = 'float32' | 'float16' | 'bfloat16';

/** One float32 for each block. */
export interface PlainScales {
  absmax: Tensor; // [blocks] float32
}

/** Scales that are themselves quantized to 8 bits: `nestedCode[code] · nestedAbsmax[nested block] + nestedOffset`. */
export interface NestedScales {
  absmaxCodes: Tensor; // [blocks] uint8
  nestedAbsmax: Tensor; // [ceil(blocks / nestedBlockSize)] float32
  nestedCode: Tensor; // [256] float32
  nestedOffset: number;
  nestedBlockSize: number;
}

/**
 * Numbers in 4 bits, as bitsandbytes lays them out: two codes a byte, the first in the high nibble; blocks run over the
 * flattened tensor, may cross rows, and the last may be shorter.
 *
 *     value[i] = code[i] · scale[floor(i / blockSize)]
 *
 * Its tensors are buffers: found by walking a model, never trained.
 */
export class QuantizedTensor extends Module {
  readonly packed: Tensor; // [ceil(size / 2), 1] uint8
  readonly absmax: Tensor | null; // [blocks] float32; null with double quantization
  readonly absmaxCodes: Tensor | null; // [blocks] uint8; these three are null without it
  readonly nestedAbsmax: Tensor | null; // [nested blocks] float32
  readonly nestedCode: Tensor | null; // [256] float32
  readonly nestedOffset: number;
  readonly nestedBlockSize: number;
  readonly type: FourBitType;
  readonly shape: Shape;
  readonly blockSize: number;
  readonly originalDtype: OriginalDtype;

  /** @throws ShapeError if a part has not the length that shape and block size ask for */
  constructor({ type, shape, blockSize, packed, scales, originalDtype = 'float32' }: QuantizedParts) {
    super();
    this.type = type;
    this.shape = [...shape];
    this.blockSize = blockSize;
    this.originalDtype = originalDtype;
    this.packed = packed;
    const nested = 'absmaxCodes' in scales ? scales : null;
    this.absmax = 'absmax' in scales ? scales.absmax : null;
    this.absmaxCodes = nested?.absmaxCodes ?? null;
    this.nestedAbsmax = nested?.nestedAbsmax ?? null;
    this.nestedCode = nested?.nestedCode ?? null;
    this.nestedOffset = nested?.nestedOffset ?? 0;
    this.nestedBlockSize = nested?.nestedBlockSize ?? 0;
    this.#check();
    for (const tensor of this.tensors) tensor.scope = null;
  }

  /** Tensors of another weight would be read with this one's type, block size and mean of the scales. */
  override get loadRefusal(): string {
    return (
      'a 4-bit weight is more than its tensors: load it with loadQuantized (what quantizedState gave), and the others ' +
      'without it and { strict: false }'
    );
  }

  /** Number of elements. */
  get size(): number {
    return this.shape.reduce((product, length) => product * length, 1);
  }

  get blocks(): number {
    return Math.ceil(this.size / this.blockSize);
  }

  get isNested(): boolean {
    return this.absmaxCodes !== null;
  }

  /** Every tensor that it holds. */
  get tensors(): Tensor[] {
    return [this.packed, this.absmax, this.absmaxCodes, this.nestedAbsmax, this.nestedCode].filter(
      (part) => part !== null,
    );
  }

  /** Bytes of codes and scales together. */
  get byteLength(): number {
    return this.tensors.reduce((sum, { byteLength }) => sum + byteLength, 0);
  }

  /** What the device's kernels take. */
  get kernelWeight(): FourBitWeight {
    const bufferOf = (part: Tensor | null) => part?.storage.buffer ?? null;
    return {
      type: this.type,
      packed: this.packed.storage.buffer,
      size: this.size,
      blockSize: this.blockSize,
      absmax: bufferOf(this.absmax),
      absmaxCodes: bufferOf(this.absmaxCodes),
      nestedAbsmax: bufferOf(this.nestedAbsmax),
      nestedCode: bufferOf(this.nestedCode),
      nestedOffset: this.nestedOffset,
      nestedBlockSize: this.nestedBlockSize,
    };
  }

  /** The numbers as float32, of this shape. */
  dequantize(): Tensor {
    this.packed.alive('dequantize');
    const y = Tensor.allocate(this.shape, 'float32', this.packed.device);
    y.device.kernels.dequantize4bit(this.kernelWeight, y.storage.buffer);
    return y;
  }

  #check(): void {
    expectLength('packed', this.packed, Math.ceil(this.size / 2));
    if (this.absmax) expectLength('absmax', this.absmax, this.blocks);
    if (!this.absmaxCodes) return;
    expectLength('absmaxCodes', this.absmaxCodes, this.blocks);
    expectLength('nestedAbsmax', this.nestedAbsmax!, Math.ceil(this.blocks / this.nestedBlockSize));
    expectLength('nestedCode', this.nestedCode!, 256);
  }
}

function expectLength(name: string, tensor: Tensor, expected: number): void {
  if (tensor.size === expected) return;
  throw new ShapeError(
    `QuantizedTensor: ${name} must fit shape and block size: expected ${expected}, got ${tensor.size}`,
  );
}
