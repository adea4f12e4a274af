import { cpu } from './cpu/index.js';
import type { Device } from './device.js';
import { DeviceError } from './errors.js';

/** A device, or its name: the CPU needs no opening, `'gpu'` is the one that `await gpu()` opened last. */
export type DeviceLike = Device | 'cpu' | 'gpu';

let opened: Device | null = null;
let chosen: Device | null = null;

/**
 * Where tensors go that are made without a word about their device: models, inputs and optimizer state too, so that
 * `setDefaultDevice(await gpu())` is all that it takes to train on a GPU. Default: the CPU. Tensors stay where they are.
 *
 * @throws DeviceError as `resolveDevice`
 */
export function setDefaultDevice(device: DeviceLike): void {
  chosen = resolveDevice(device);
}

/** The device of tensors that are made without a word about it. */
export function defaultDevice(): Device {
  return chosen ?? cpu();
}

/** Makes `device` the one that `'gpu'` stands for; null for none. */
export function setGpu(device: Device | null): void {
  if (device === null && chosen === opened) chosen = null;
  opened = device;
}

/**
 * The device meant; the default one where none is named.
 *
 * @throws DeviceError for a name that stands for no device, or for one that must be opened first
 */
export function resolveDevice(device: DeviceLike | undefined): Device {
  if (device === undefined) return defaultDevice();
  if (device === 'cpu') return cpu();
  if (typeof device === 'object') return device;
  if (device === 'gpu' && opened) return opened;
  throw new DeviceError(
    device === 'gpu'
      ? "device: no GPU is open; open it first: import { gpu } from '@burin/tensor/gpu' and await gpu()"
      : `device: expected 'cpu', 'gpu' or an opened Device, got '${String(device)}'`,
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
