import type { MatmulKernels } from '../kernels/matmul.js';
import type { Launcher } from './launcher.js';
import { runProduct } from './product.js';

export function matmulKernels(launcher: Launcher): MatmulKernels {
  return {
    // float16 and bfloat16 were widened when they came to the GPU, where every element is a float32
    matmul({ bDtype: _, ...product }) {
      runProduct(launcher, product);
    },
  };
}
