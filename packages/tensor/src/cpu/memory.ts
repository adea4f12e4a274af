import type { DeviceBuffer } from '../device.js';
import { DeviceError, LifetimeError } from '../errors.js';
import { type DeviceMemory, MemoryError, type MemoryPressure, type PressureListener } from '../memory.js';
import type { Allocator, Block } from './allocator.js';
import { CpuBuffer } from './buffer.js';

/** The books of the CPU device over `allocator`. Counts the bytes asked for, not their rounding up to 64. */
export function cpuMemory(allocator: Allocator): DeviceMemory {
  return new CpuMemory(allocator);
}

class CpuMemory implements DeviceMemory {
  liveBytes = 0;
  peakBytes = 0;
  liveBuffers = 0;
  readonly #allocator: Allocator;
  readonly #listeners = new Set<PressureListener>();
  #budget = Number.POSITIVE_INFINITY;

  constructor(allocator: Allocator) {
    this.#allocator = allocator;
  }

  get budget(): number {
    return this.#budget;
  }

  set budget(bytes: number) {
    if (!(bytes >= 0)) throw new RangeError(`memory: budget must be 0 bytes or more, got ${bytes}`);
    this.#budget = bytes;
  }

  resetPeak(): void {
    this.peakBytes = this.liveBytes;
  }

  onPressure(listener: PressureListener): () => void {
    this.#listeners.add(listener);
    return () => {
      this.#listeners.delete(listener);
    };
  }

  allocate(byteLength: number): DeviceBuffer {
    if (!Number.isSafeInteger(byteLength) || byteLength < 0) {
      throw new RangeError(`memory: byteLength must be a whole number of 0 or more, got ${byteLength}`);
    }
    this.#fitBudget(byteLength);
    const block = this.#allocator.allocate(byteLength) ?? this.#allocateUnderPressure(byteLength);
    this.liveBytes += byteLength;
    this.liveBuffers += 1;
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
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
    this.liveBytes -= buffer.byteLength;
    this.liveBuffers -= 1;
  }

  /** Asks the listeners, in the order they came, until the budget holds `byteLength` more. */
  #fitBudget(byteLength: number): void {
    if (this.liveBytes + byteLength <= this.#budget) return;
    const shortfall = () => this.liveBytes + byteLength - this.#budget;
    for (const listener of [...this.#listeners]) {
      if (shortfall() <= 0) return;
      listener(this.#pressure(byteLength, shortfall()));
    }
    if (shortfall() <= 0) return;
    throw new MemoryError(
      `cpu: the allocation does not fit the memory budget: requested ${bytes(byteLength)}, live ${bytes(this.liveBytes)} ` +
        `in ${this.liveBuffers} buffers, budget ${bytes(this.#budget)}; free ${bytes(shortfall())} (end a scope, ` +
        'make the batch or the sequences smaller, use checkpoint or a 4-bit base), or raise device.memory.budget',
    );
  }

  /** The address space is full or in pieces, whatever the budget says: the listeners may make room all the same. */
  #allocateUnderPressure(byteLength: number): Block {
    for (const listener of [...this.#listeners]) {
      listener(this.#pressure(byteLength, byteLength));
      const block = this.#allocator.allocate(byteLength);
      if (block) return block;
    }
    throw new MemoryError(
      `cpu: no room in WebAssembly memory, which ends at 4 GiB: requested ${bytes(byteLength)}, live ` +
        `${bytes(this.liveBytes)} in ${this.liveBuffers} buffers; make the batch or the model smaller, or set ` +
        'device.memory.budget so that state is paged out earlier',
    );
  }

  #pressure(requestedBytes: number, shortfallBytes: number): MemoryPressure {
    return { requestedBytes, shortfallBytes };
  }
}

/** Exact below 10 KiB, so that small budgets in tests and examples read well. */
function bytes(count: number): string {
  const units = ['KiB', 'MiB', 'GiB'];
  if (count < 10240) return `${count} bytes`;
  let value = count / 1024;
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${value.toFixed(1)} ${units[unit]}`;
}
