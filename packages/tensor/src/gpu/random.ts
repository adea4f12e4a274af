import { cpu } from '../cpu/index.js';
import type { DeviceBuffer } from '../device.js';
import type { RandomKernels, RandomStream } from '../kernels/random.js';
import { gpuBuffer } from './buffer.js';
import { gpuKernel } from './kernel.js';
import type { Launcher, Scratch } from './launcher.js';
import { philoxUniform, STREAM, streamScalars } from './philox.js';

const dropoutByStream = gpuKernel(
  'dropoutByStream',
  ['x'],
  { p: 'Float', scale: 'Float', ...STREAM },
  `if (philoxUniform(this.thread.x, seedLow, seedHigh, offsetLow, offsetHigh) < p) { return 0; }
   return x[this.thread.x] * scale;`,
  { functions: [philoxUniform] },
);

const dropoutByNumbers = gpuKernel(
  'dropoutByNumbers',
  ['x', 'u'],
  { p: 'Float', scale: 'Float' },
  `if (u[this.thread.x] < p) { return 0; }
   return x[this.thread.x] * scale;`,
);

/**
 * Random numbers, the same bits as on the CPU. Tensors of them are made there and uploaded: that is how initial weights
 * come about, once. Dropout's are drawn on the GPU where it has integers (WebGPU).
 */
export function randomKernels(launcher: Launcher): RandomKernels {
  return {
    uniform(y, size, low, high, stream) {
      upload(launcher, y, size, (buffer) => cpu().kernels.uniform(buffer, size, low, high, stream));
    },

    normal(y, size, mean, std, stream) {
      upload(launcher, y, size, (buffer) => cpu().kernels.normal(buffer, size, mean, std, stream));
    },

    dropout(x, y, size, p, stream) {
      const scale = 1 / (1 - p);
      if (launcher.webGpu) {
        launcher.launch(dropoutByStream, y, size, [x], [p, scale, ...streamScalars(stream)]);
        return;
      }
      launcher.withScratch(size, (u) => {
        uploadUniform(launcher, u, size, stream);
        launcher.launch(dropoutByNumbers, y, size, [x, u], [p, scale]);
      });
    },
  };
}

/** Puts the first `size` numbers of a stream, in [0, 1), into `u`. */
function uploadUniform(launcher: Launcher, u: DeviceBuffer | Scratch, size: number, stream: RandomStream): void {
  upload(launcher, u, size, (buffer) => cpu().kernels.uniform(buffer, size, 0, 1, stream));
}

function upload(
  launcher: Launcher,
  y: DeviceBuffer | Scratch,
  size: number,
  fill: (buffer: DeviceBuffer) => void,
): void {
  if (size === 0) return;
  const host = cpu().memory.allocate(4 * size);
  try {
    fill(host);
    const values = new Float32Array(cpu().readNow(host).buffer);
    const fresh = launcher.backend.allocate(size);
    launcher.backend.write(fresh, 0, values);
    const out = 'dtype' in y ? gpuBuffer(y as DeviceBuffer) : (y as Scratch);
    launcher.splice(out, 0, fresh, 0, size);
    launcher.backend.release(fresh);
  } finally {
    cpu().memory.free(host);
  }
}
