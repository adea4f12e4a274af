import type { ElementwiseKernels } from '../kernels/elementwise.js';
import { exp } from './functions.js';
import { gpuKernel } from './kernel.js';
import type { Launcher } from './launcher.js';

const addScaled = gpuKernel(
  'addScaled',
  ['x', 'y'],
  { alpha: 'Float' },
  'return y[this.thread.x] + alpha * x[this.thread.x];',
);
const expKernel = gpuKernel('exp', ['x'], {}, 'return exponential(x[this.thread.x]);', { functions: [exp] });

export function elementwiseKernels(launcher: Launcher): ElementwiseKernels {
  return {
    addScaled(x, y, alpha, size) {
      launcher.launch(addScaled, y, size, [x, y], [alpha]);
    },
    unary(_op, x, y, size) {
      launcher.launch(expKernel, y, size, [x]);
    },
  } as ElementwiseKernels;
}
