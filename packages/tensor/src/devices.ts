import { cpu } from './cpu/index.js';
import type { Device } from './device.js';
import { DeviceError } from './errors.js';

/** A device, or its name: the CPU needs no opening, `'gpu'` is the one that `await gpu()` opened last. */
export type DeviceLike = Device | 'cpu' | 'gpu';

let opened: Device | null = null;

/** Makes `device` the one that `'gpu'` stands for; null for none. */
export function setGpu(device: Device | null): void {
  opened = device;
}

/** @throws DeviceError for a name that stands for no device, or for one that must be opened first */
export function resolveDevice(device: DeviceLike | undefined): Device {
  if (device === undefined || device === 'cpu') return cpu();
  if (typeof device === 'object') return device;
  if (device === 'gpu' && opened) return opened;
  throw new DeviceError(
    device === 'gpu'
      ? "device: no GPU is open; open it first: import { gpu } from '@burin/tensor/gpu' and await gpu()"
      : `device: expected 'cpu', 'gpu' or an opened Device, got '${String(device)}'`,
  );
}
