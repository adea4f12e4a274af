import type { Kernels } from '../kernels/index.js';
import { attentionKernels } from './attention.js';
import { elementwiseKernels } from './elementwise.js';
import type { Launcher } from './launcher.js';
import { lossKernels } from './loss.js';
import { matmulKernels } from './matmul.js';
import type { GpuMemory } from './memory.js';
import { movementKernels } from './movement.js';
import { normalizationKernels } from './normalization.js';
import { optimizerKernels } from './optimizer.js';
import { quantizationKernels } from './quantization.js';
import { randomKernels } from './random.js';
import { reductionKernels } from './reduction.js';
import { ropeKernels } from './rope.js';

/** The kernel table on a GPU. */
export function kernelTable(launcher: Launcher, memory: GpuMemory): Kernels {
  return {
    ...elementwiseKernels(launcher),
    ...movementKernels(launcher, memory),
    ...reductionKernels(launcher),
    ...normalizationKernels(launcher),
    ...lossKernels(launcher),
    ...randomKernels(launcher),
    ...optimizerKernels(launcher),
    ...matmulKernels(launcher),
    ...attentionKernels(launcher),
    ...ropeKernels(launcher),
    ...quantizationKernels(launcher, memory),
  };
}
