import type { Device, DeviceBuffer } from './device.js';
import { LifetimeError } from './errors.js';
import type { Kernels } from './kernels/index.js';
import { type DeviceMemory, MemoryError } from './memory.js';

/**
 * A device that counts memory, and holds and computes nothing: every tensor reads as zeros. What a model and its training
 * step would take is known by running them on it, whatever their size, in milliseconds.
 *
 * @example
 * const device = new DryDevice();
 * const model = withDevice(device, () => LlamaForCausalLM.create(options, { rng }));
 * device.memory.liveBytes; // of its weights
 */
export class DryDevice implements Device {
  readonly name = 'cpu';
  readonly memory: DeviceMemory = new CountedMemory();
  readonly kernels = new Proxy({} as Kernels, { get: () => doNothing });

  write(): void {}

  async read(buffer: DeviceBuffer, byteOffset?: number, byteLength?: number): Promise<Uint8Array> {
    return this.readNow(buffer, byteOffset, byteLength);
  }

  readNow(buffer: DeviceBuffer, byteOffset = 0, byteLength: number = buffer.byteLength - byteOffset): Uint8Array {
    return new Uint8Array(byteLength);
  }

  describe(): string {
    return 'dry (counts memory, computes nothing)';
  }
}

function doNothing(): void {}

class CountedMemory implements DeviceMemory {
  liveBytes = 0;
  peakBytes = 0;
  budget = Number.POSITIVE_INFINITY;
  readonly #held = new Set<DeviceBuffer>();

  get liveBuffers(): number {
    return this.#held.size;
  }

  resetPeak(): void {
    this.peakBytes = this.liveBytes;
  }

  /** Nobody is ever called: nothing that could be freed is held. */
  onPressure(): () => void {
    return doNothing;
  }

  allocate(byteLength: number): DeviceBuffer {
    if (this.liveBytes + byteLength > this.budget) {
      throw new MemoryError(
        `dry: the allocation does not fit the memory budget: requested ${byteLength} bytes, live ${this.liveBytes}, ` +
          `budget ${this.budget}`,
      );
    }
    const buffer = { byteLength };
    this.#held.add(buffer);
    this.liveBytes += byteLength;
    this.peakBytes = Math.max(this.peakBytes, this.liveBytes);
    return buffer;
  }

  free(buffer: DeviceBuffer): void {
    if (!this.#held.delete(buffer))
      throw new LifetimeError(`dry: a buffer of ${buffer.byteLength} bytes was freed twice`);
    this.liveBytes -= buffer.byteLength;
  }
}
