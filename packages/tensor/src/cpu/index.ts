import { CpuDevice, type CpuOptions } from './device.js';

export { CpuDevice, type CpuOptions };

let device: CpuDevice | null = null;

/** The CPU device that tensors live on unless told otherwise. Made when first asked for. */
export function cpu(): CpuDevice {
  device ??= new CpuDevice();
  return device;
}
