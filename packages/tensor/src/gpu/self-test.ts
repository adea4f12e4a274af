import { DeviceError } from '../errors.js';
import type { GpuDevice } from './device.js';

/** @throws DeviceError naming what the device got wrong */
export async function selfTest(_device: GpuDevice): Promise<void> {
  if (_device === undefined) throw new DeviceError('gpu: ...');
}
