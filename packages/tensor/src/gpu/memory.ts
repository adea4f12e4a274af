import type { DeviceBuffer } from '../device.js';
import { BYTES, type DType } from '../dtype.js';
import { DeviceError, LifetimeError } from '../errors.js';
import { type DeviceMemory, MemoryError } from '../memory.js';
import { checkByteLength, inWords, MemoryBooks } from '../memory-books.js';
import type { Backend } from './backend.js';
import { type Format, GpuBuffer } from './buffer.js';

/** The books of a GPU device. Counts what tensors take in GPU memory: 4 bytes an element whatever its dtype. */
export class GpuMemory extends MemoryBooks implements DeviceMemory {
  readonly #backend: Backend;

  constructor(backend: Backend) {
    super('gpu');
    this.#backend = backend;
  }

  /** @throws MemoryError also if it is larger than the adapter's limit of one buffer */
  allocate(byteLength: number, dtype: DType = 'float32'): DeviceBuffer {
    checkByteLength(byteLength);
    const length = Math.ceil(byteLength / BYTES[dtype]);
    const { maxLength, limit, name } = this.#backend;
    if (length > maxLength) {
      throw new MemoryError(
        `gpu: a tensor of ${length} elements (${dtype}) takes ${inWords(4 * length)} on the GPU, and ${name} holds at most ` +
          `${inWords(4 * maxLength)} in one buffer (${limit}); split it, or keep it on the CPU`,
      );
    }
    this.fitBudget(4 * length);
    const buffer = new GpuBuffer(byteLength, dtype, this.#backend.allocate(length), this);
    this.counted(4 * length);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    if (!(buffer instanceof GpuBuffer) || buffer.owner !== this) {
      throw new DeviceError('memory: free was given a buffer that this device did not make');
    }
    if (buffer.storage === null) {
      throw new LifetimeError(`memory: a buffer of ${buffer.byteLength} bytes was freed twice`);
    }
    this.#backend.release(buffer.storage);
    buffer.storage = null;
    this.uncounted(4 * buffer.floats);
  }

  /** Counts a buffer anew whose elements are packed or unpacked; its storage is the caller's to change. */
  reformat(buffer: GpuBuffer, format: Format): void {
    this.uncounted(4 * buffer.floats);
    buffer.format = format;
    this.counted(4 * buffer.floats);
  }
}
