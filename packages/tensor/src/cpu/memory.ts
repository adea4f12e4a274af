import type { DeviceBuffer } from '../device.js';
import { DeviceError, LifetimeError } from '../errors.js';
import { type DeviceMemory, MemoryError } from '../memory.js';
import { checkByteLength, inWords, MemoryBooks } from '../memory-books.js';
import type { Allocator, Block } from './allocator.js';
import { CpuBuffer } from './buffer.js';

/** The books of the CPU device over `allocator`. Counts the bytes asked for, not their rounding up to 64. */
export function cpuMemory(allocator: Allocator): DeviceMemory {
  return new CpuMemory(allocator);
}

class CpuMemory extends MemoryBooks implements DeviceMemory {
  readonly #allocator: Allocator;

  constructor(allocator: Allocator) {
    super('cpu');
    this.#allocator = allocator;
  }

  allocate(byteLength: number): DeviceBuffer {
    checkByteLength(byteLength);
    this.fitBudget(byteLength);
    const block = this.#allocator.allocate(byteLength) ?? this.#allocateUnderPressure(byteLength);
    this.counted(byteLength);
    return new CpuBuffer(byteLength, block, this);
  }

  free(buffer: DeviceBuffer): void {
    if (!(buffer instanceof CpuBuffer) || buffer.owner !== this) {
      throw new DeviceError('memory: free was given a buffer that this device did not make');
    }
    if (buffer.block === null) {
      throw new LifetimeError(`memory: a buffer of ${buffer.byteLength} bytes was freed twice`);
    }
    this.#allocator.release(buffer.block);
    buffer.block = null;
    this.uncounted(buffer.byteLength);
  }

  /** The address space is full or in pieces, whatever the budget says: the listeners may make room all the same. */
  #allocateUnderPressure(byteLength: number): Block {
    const block = this.underPressure(byteLength, () => this.#allocator.allocate(byteLength));
    if (block) return block;
    throw new MemoryError(
      `cpu: no room in WebAssembly memory, ${this.#allocator.describe()}: requested ${inWords(byteLength)}, ` +
        `live ${inWords(this.liveBytes)} in ${this.liveBuffers} buffers; free tensors (one made outside a scope lives ` +
        'until its dispose()), make the batch or the model smaller, or set device.memory.budget so that state is paged out earlier',
    );
  }
}
