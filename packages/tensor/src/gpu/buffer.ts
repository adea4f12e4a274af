import type { DeviceBuffer } from '../device.js';
import { BYTES, type DType } from '../dtype.js';
import { DeviceError, LifetimeError } from '../errors.js';
import type { GpuStorage } from './backend.js';

/**
 * How elements lie in the float32 storage. `elements`: one float each, whatever the dtype. `triples`: three bytes of a
 * uint8 buffer in one float, byte i in float `floor(i / 3)` at `256^(i mod 3)`; a float32 holds 24 bits exactly. That is
 * how packed 4-bit codes stay packed.
 */
export type Format = 'elements' | 'triples';

/** A piece of GPU memory, typed: a float32 storage that stands for `length` elements of `dtype`. */
export class GpuBuffer implements DeviceBuffer {
  readonly byteLength: number;
  readonly dtype: DType;
  readonly owner: object; // the books that count it
  format: Format = 'elements';
  storage: GpuStorage | null; // null once it is freed; another one after a kernel that cannot write in place

  constructor(byteLength: number, dtype: DType, storage: GpuStorage, owner: object) {
    this.byteLength = byteLength;
    this.dtype = dtype;
    this.storage = storage;
    this.owner = owner;
  }

  /** Elements of its dtype. */
  get length(): number {
    return this.byteLength / BYTES[this.dtype];
  }

  /** Floats that it takes in GPU memory. */
  get floats(): number {
    return this.format === 'elements' ? this.length : Math.ceil(this.length / 3);
  }
}

/**
 * @throws DeviceError if another device made the buffer
 * @throws LifetimeError if it was freed
 */
export function gpuBuffer(buffer: DeviceBuffer): GpuBuffer & { storage: GpuStorage } {
  if (!(buffer instanceof GpuBuffer)) {
    throw new DeviceError('gpu: a kernel was given a buffer of another device; move the tensor to the GPU first');
  }
  if (buffer.storage === null) {
    throw new LifetimeError(`gpu: a kernel was given a buffer of ${buffer.byteLength} bytes that was freed before`);
  }
  return buffer as GpuBuffer & { storage: GpuStorage };
}
