import { cpu } from './cpu/index.js';
import type { Device } from './device.js';
import { DeviceError } from './errors.js';

/** A device, or the name of one that needs no opening. */
export type DeviceLike = Device | 'cpu';

let chosen: Device | null = null;

/** @throws DeviceError for a name that stands for no device, or for one that must be opened first */
export function resolveDevice(device: DeviceLike | undefined): Device {
  if (device === undefined) return chosen ?? cpu();
  if (device === 'cpu') return cpu();
  if (typeof device === 'object') return device;
  throw new DeviceError(
    `device: expected 'cpu' or an opened Device, got '${String(device)}'; a GPU is opened first and passed as an object`,
  );
}

/**
 * Runs `body` with `device` as the one that new tensors are made on where no other is named.
 *
 * @throws TypeError if `body` is async: tensors that others make meanwhile would land on the device too
 * @example
 * const model = withDevice(device, () => LlamaForCausalLM.create(options, { rng }));
 */
export function withDevice<T>(device: Device, body: () => T): T {
  const before = chosen;
  chosen = device;
  try {
    const result = body();
    if (typeof result === 'object' && result !== null && 'then' in result) {
      throw new TypeError('withDevice: the body must not be async; make the tensors in it and await outside');
    }
    return result;
  } finally {
    chosen = before;
  }
}
