import type { BackendName, GpuDevice } from '@burin/tensor/gpu';

/** A backend of the GPU that tests look for: open, or why it is not there. */
export interface GpuBackend {
  readonly name: BackendName;
  readonly device: GpuDevice | null;
  /** For the name of a skipped test; empty where there is a device. */
  readonly missing: string;
}

/**
 * Opens the backends that Node may have. Where one is missing its tests are skipped and say why. BURIN_GPU names the only
 * one to open, which must then be there: that is how CI makes sure that nothing is skipped.
 */
export async function gpuBackends(): Promise<GpuBackend[]> {
  const { gpu } = await import('@burin/tensor/gpu');
  const named = process.env.BURIN_GPU as BackendName | undefined;
  const backends: GpuBackend[] = [];
  for (const name of named ? [named] : (['webgpu', 'headlessgl'] as const)) {
    try {
      backends.push({ name, device: await gpu({ backend: name }), missing: '' });
    } catch (error) {
      if (named) throw error;
      backends.push({ name, device: null, missing: `(skipped: ${(error as Error).message})` });
    }
  }
  return backends;
}
