import type { Device, DeviceBuffer } from './device.js';
import type { DType } from './dtype.js';

/**
 * Device memory shared by the tensors that look at it: a reshape has its own Tensor and the same Storage. Freed when the
 * last one lets go. `version` counts changes in place, so that a backward pass can tell that what it saved is gone.
 */
export class Storage {
  readonly device: Device;
  readonly buffer: DeviceBuffer;
  references = 1;
  version = 0;

  constructor(device: Device, byteLength: number, dtype: DType) {
    this.device = device;
    this.buffer = device.memory.allocate(byteLength, dtype);
  }

  retain(): this {
    this.references++;
    return this;
  }

  release(): void {
    if (--this.references === 0) this.device.memory.free(this.buffer);
  }
}
