import type { Kernels } from '../kernels/index.js';
import { elementwiseKernels } from './elementwise.js';
import type { Launcher } from './launcher.js';
import { matmulKernels } from './matmul.js';
import type { GpuMemory } from './memory.js';
import { movementKernels } from './movement.js';
import { quantizationKernels } from './quantization.js';
import { reductionKernels } from './reduction.js';

/** The kernel table on a GPU. */
export function kernelTable(launcher: Launcher, memory: GpuMemory): Kernels {
  return {
    ...elementwiseKernels(launcher),
    ...movementKernels(launcher, memory),
    ...reductionKernels(launcher),
    ...matmulKernels(launcher),
    ...quantizationKernels(launcher, memory),
  } as unknown as Kernels;
}
