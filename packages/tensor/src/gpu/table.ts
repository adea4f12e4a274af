import type { Kernels } from '../kernels/index.js';
import { elementwiseKernels } from './elementwise.js';
import type { Launcher } from './launcher.js';
import { matmulKernels } from './matmul.js';
import type { GpuMemory } from './memory.js';

/** The kernel table on a GPU. */
export function kernelTable(launcher: Launcher, _memory: GpuMemory): Kernels {
  return { ...elementwiseKernels(launcher), ...matmulKernels(launcher) } as unknown as Kernels;
}
