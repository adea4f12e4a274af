import type { Device, DeviceBuffer } from './device.js';
import type { DType } from './dtype.js';

/**
 * Device memory shared by the tensors that look at it: a reshape has its own Tensor and the same Storage. Freed when the
 * last one lets go. `version` counts changes in place, so that a backward pass can tell that what it saved is gone.
 */
export class Storage {
  readonly device: Device;
  readonly byteLength: number;
  references = 1;
  version = 0;
  private held: DeviceBuffer | null;
  readonly #dtype: DType;

  /** @param options.deferred - take the memory when it is first asked for. Default: at once. */
  constructor(device: Device, byteLength: number, dtype: DType, { deferred = false }: { deferred?: boolean } = {}) {
    this.device = device;
    this.byteLength = byteLength;
    this.#dtype = dtype;
    this.held = deferred ? null : device.memory.allocate(byteLength, dtype);
  }

  get buffer(): DeviceBuffer {
    this.held ??= this.device.memory.allocate(this.byteLength, this.#dtype);
    return this.held;
  }

  /** Whether memory was taken; only a deferred one is without. */
  get isHeld(): boolean {
    return this.held !== null;
  }

  retain(): this {
    this.references++;
    return this;
  }

  release(): void {
    if (--this.references === 0 && this.held) this.device.memory.free(this.held);
  }
}
