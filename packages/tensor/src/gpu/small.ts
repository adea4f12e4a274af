import type { DeviceBuffer } from '../device.js';
import { gpuKernel } from './kernel.js';

// Steps that several groups of kernels share.

/** `sums / count`. */
export const meanOf = gpuKernel('meanOf', ['sums'], { count: 'Float' }, 'return sums[this.thread.x] / count;');

/** `x + y`, to add to what is in y. */
export const addTo = gpuKernel('addTo', ['x', 'y'], {}, 'return x[this.thread.x] + y[this.thread.x];');

/** An input that may be missing, as the list that it is then left out of. */
export function present(buffer: DeviceBuffer | null): DeviceBuffer[] {
  return buffer ? [buffer] : [];
}
