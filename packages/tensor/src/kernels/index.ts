import type { AttentionKernels } from './attention.js';
import type { ElementwiseKernels } from './elementwise.js';
import type { LossKernels } from './loss.js';
import type { MatmulKernels } from './matmul.js';
import type { MovementKernels } from './movement.js';
import type { NormalizationKernels } from './normalization.js';
import type { OptimizerKernels } from './optimizer.js';
import type { QuantizationKernels } from './quantization.js';
import type { RandomKernels } from './random.js';
import type { ReductionKernels } from './reduction.js';

/**
 * The table that every device implements. A kernel knows buffers and sizes: no Tensor, no checks, no allocation; the
 * operation above it does those. Unless a comment says otherwise: float32, row-major, contiguous from the buffer's
 * start, outputs are overwritten, inputs and outputs do not overlap (elementwise ones may work in place).
 */
export interface Kernels
  extends ElementwiseKernels,
    MovementKernels,
    ReductionKernels,
    MatmulKernels,
    NormalizationKernels,
    LossKernels,
    AttentionKernels,
    RandomKernels,
    OptimizerKernels,
    QuantizationKernels {}
