import type { BackendName } from '@burin/tensor/gpu';

/** A device by its name: what tests pass as `{ device }`. */
export type DeviceName = 'cpu' | 'gpu';

/**
 * Every device that the tests run on: `describe.each(devices)('softmax on %s', (device) => …)`. The CPU; and a GPU where
 * BURIN_GPU names its backend (`webgpu`, `webgl2` or `headlessgl`), which must then be there.
 */
export const devices: readonly DeviceName[] = await openDevices(process.env.BURIN_GPU);

async function openDevices(backend: string | undefined): Promise<DeviceName[]> {
  if (!backend) return ['cpu'];
  const { gpu } = await import('@burin/tensor/gpu');
  const device = await gpu({ backend: backend as BackendName });
  if (!process.env.BURIN_GPU_ONLY) return ['cpu', 'gpu'];
  const { setDefaultDevice } = await import('@burin/tensor');
  setDefaultDevice(device); // so that what a test makes without naming a device is there too
  return ['gpu'];
}
