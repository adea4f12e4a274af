import type { Kernels } from '../kernels/index.js';
import { attentionKernels } from './attention.js';
import { type BlasSource, NO_BLAS } from './blas.js';
import { elementwiseKernels } from './elementwise.js';
import type { Engine } from './engine.js';
import { lossKernels } from './loss.js';
import { matmulKernels } from './matmul.js';
import { movementKernels } from './movement.js';
import { normalizationKernels } from './normalization.js';
import { optimizerKernels } from './optimizer.js';
import { quantizationKernels } from './quantization.js';
import { randomKernels } from './random.js';
import { reductionKernels } from './reduction.js';

/** The kernels of the CPU device, group by group: each turns its arguments into a call of `engine.run`, or of `blas`. */
export function kernelTable(engine: Engine, blas: BlasSource = NO_BLAS): Kernels {
  return {
    ...elementwiseKernels(engine),
    ...movementKernels(engine),
    ...reductionKernels(engine),
    ...normalizationKernels(engine),
    ...lossKernels(engine),
    ...randomKernels(engine),
    ...optimizerKernels(engine),
    ...matmulKernels(engine, blas),
    ...attentionKernels(engine, blas),
    ...quantizationKernels(engine, blas),
  };
}
