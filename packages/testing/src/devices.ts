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
  await gpu({ backend: backend as BackendName });
  return process.env.BURIN_GPU_ONLY ? ['gpu'] : ['cpu', 'gpu'];
}
