import { cpu } from './cpu/index.js';
import type { Device } from './device.js';
import { DeviceError } from './errors.js';

/** A device, or the name of one that needs no opening. */
export type DeviceLike = Device | 'cpu';

/** @throws DeviceError for a name that stands for no device, or for one that must be opened first */
export function resolveDevice(device: DeviceLike | undefined): Device {
  if (device === undefined || device === 'cpu') return cpu();
  if (typeof device === 'object') return device;
  throw new DeviceError(
    `device: expected 'cpu' or an opened Device, got '${String(device)}'; a GPU is opened first and passed as an object`,
  );
}
