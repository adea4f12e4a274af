// Ends without a word of farewell to its workers: threads.test.ts waits for that.
import { setTimeout as sleep } from 'node:timers/promises';
import { CpuDevice } from '@burin/tensor';

const device = new CpuDevice({ threads: 2, blas: 'off' });
const size = 1_000_000;
const x = device.memory.allocate(4 * size);
for (let tries = 0; device.engine.threads.ready < 2 && tries < 1000; tries++) {
  device.kernels.fill('float32', x, 0, size);
  device.kernels.unary('exp', x, x, size, 0);
  await sleep(10);
}
Object.assign(globalThis, { device }); // still in use: a device that nobody holds would stop its workers
console.log(`${device.engine.threads.ready} threads ready`);
