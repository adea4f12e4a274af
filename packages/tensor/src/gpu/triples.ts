import type { GpuBuffer } from './buffer.js';
import { gpuKernel } from './kernel.js';
import type { Launcher } from './launcher.js';
import type { GpuMemory } from './memory.js';

const pack = gpuKernel(
  'packTriples',
  ['bytes'],
  { length: 'Integer' },
  `let sum = bytes[this.thread.x * 3];
   if (this.thread.x * 3 + 1 < length) { sum += bytes[this.thread.x * 3 + 1] * 256; }
   if (this.thread.x * 3 + 2 < length) { sum += bytes[this.thread.x * 3 + 2] * 65536; }
   return sum;`,
);

// multiplied by exact powers of two: nothing is divided, since some drivers' division rounds
const unpack = gpuKernel(
  'unpackTriples',
  ['triples'],
  {},
  `const three = triples[this.thread.y];
   const high = Math.floor(three * ${2 ** -16});
   const low = three - high * 65536;
   const middle = Math.floor(low * ${2 ** -8});
   if (this.thread.x === 2) { return high; }
   if (this.thread.x === 1) { return middle; }
   return low - middle * 256;`,
);

/** Packs a uint8 buffer: three bytes a float, in place of one. Nothing happens if it is packed. */
export function packTriples(launcher: Launcher, memory: GpuMemory, buffer: GpuBuffer): void {
  if (buffer.format === 'triples' || buffer.storage === null) return;
  const { storage, length } = buffer;
  const packed = launcher.backend.allocate(Math.ceil(length / 3));
  launcher.launchInto(pack, packed, Math.ceil(length / 3), [{ storage, lengths: [length, 1, 1] }], [length]);
  launcher.backend.release(storage);
  memory.reformat(buffer, 'triples');
  buffer.storage = packed;
}

/** The reverse, for whoever wants single bytes. */
export function unpackTriples(launcher: Launcher, memory: GpuMemory, buffer: GpuBuffer): void {
  if (buffer.format === 'elements' || buffer.storage === null) return;
  const { storage, floats } = buffer;
  const bytes = launcher.backend.allocate(3 * floats);
  launcher.launchInto(unpack, bytes, [3, floats, 1], [{ storage, lengths: [floats, 1, 1] }], []);
  launcher.backend.release(storage);
  memory.reformat(buffer, 'elements');
  buffer.storage = bytes;
}
