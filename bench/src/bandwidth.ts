import { Worker } from 'node:worker_threads';

const BYTES = 2 ** 26; // a copy of 64 MiB passes by every cache
const COPIES = 8;

/** Copies in a thread of its own; says how many bytes a second it read and wrote at best. */
const PROGRAM = `
  const { parentPort } = require('node:worker_threads');
  const [from, to] = [new Uint8Array(${BYTES}).fill(1), new Uint8Array(${BYTES}).fill(2)];
  let best = 0;
  for (let i = 0; i < ${COPIES}; i++) {
    const start = performance.now();
    to.set(from);
    best = Math.max(best, (2 * ${BYTES}) / (performance.now() - start) / 1e6);
  }
  parentPort.postMessage(best);
`;

/** Memory bandwidth in GB/s: `threads` copies at the same time, bytes read and bytes written both counted. */
export async function measureBandwidth(threads: number): Promise<number> {
  const copies = Array.from({ length: threads }, () => {
    const worker = new Worker(PROGRAM, { eval: true });
    return new Promise<number>((resolve, reject) => worker.once('message', resolve).once('error', reject));
  });
  return (await Promise.all(copies)).reduce((sum, rate) => sum + rate, 0);
}
