import type { DeviceBuffer } from '../device.js';
import { gpuKernel } from './kernel.js';
import { type Launcher, type Scratch, view } from './launcher.js';

// Embedding gradients by sorted positions: a bitonic network sorts (id, position), each table row finds where its id
// begins by bisection, and walks the positions from there in order. Every result is one thread's, so sums are in the
// order of i and come out the same in every run.

/** Larger than every id, and exact in a float32: what sorts behind. */
const LAST = 2 ** 24;

/** Pairs [2, n]: ids clamped into the table (skipped and surplus ones behind it), then positions. */
const pairs = gpuKernel(
  'sortPairs',
  ['ids'],
  { count: 'Integer', rows: 'Float', skip: 'Float' },
  `if (this.thread.y === 1) { return this.thread.x; }
   if (this.thread.x >= count) { return ${LAST}; }
   const id = ids[this.thread.x];
   if (id === skip) { return ${LAST}; }
   return Math.max(0, Math.min(rows - 1, id));`,
);

/** One step of the network: each element meets the one `distance` away, and keeps the smaller or the larger pair. */
const exchange = gpuKernel(
  'sortExchange',
  ['pairs'],
  { distance: 'Float', run: 'Float' },
  `const at = this.thread.x;
   const odd = Math.floor((at + 0.5) / distance) - 2 * Math.floor((at + 0.5) / (2 * distance));
   let other = at + distance;
   if (odd > 0) { other = at - distance; }
   const descending = Math.floor((at + 0.5) / run) - 2 * Math.floor((at + 0.5) / (2 * run));
   let wantsLarger = odd;
   if (descending > 0) { wantsLarger = 1 - odd; }
   const id = pairs[0][at];
   const position = pairs[1][at];
   const otherId = pairs[0][other];
   const otherPosition = pairs[1][other];
   let larger = 0;
   if (id > otherId) { larger = 1; }
   if (id === otherId) { if (position > otherPosition) { larger = 1; } }
   let mine = pairs[this.thread.y][at];
   if (larger !== wantsLarger) { mine = pairs[this.thread.y][other]; }
   return mine;`,
);

/** For each row the first place whose id is not smaller. */
const starts = gpuKernel(
  'sortStarts',
  ['pairs'],
  { size: 'Float', steps: 'Integer' },
  `let low = 0;
   let high = size;
   for (let i = 0; i < steps; i++) {
     const middle = Math.floor((low + high) * 0.5);
     if (low < high) {
       if (pairs[0][middle] < this.thread.x) { low = middle + 1; } else { high = middle; }
     }
   }
   return low;`,
);

const addRows = gpuKernel(
  'scatterAddRows',
  ['g', 'pairs', 'starts', 'dtable'],
  { size: 'Integer' },
  `let sum = dtable[this.thread.y][this.thread.x];
   let at = starts[this.thread.y];
   let more = 1;
   for (let i = 0; i < size; i++) {
     if (more > 0) {
       if (at >= size) { more = 0; }
     }
     if (more > 0) {
       if (pairs[0][at] !== this.thread.y) { more = 0; }
     }
     if (more < 1) { break; }
     sum += g[pairs[1][at]][this.thread.x];
     at = at + 1;
   }
   return sum;`,
);

export function scatterAddRows(
  launcher: Launcher,
  g: DeviceBuffer,
  ids: DeviceBuffer,
  dtable: DeviceBuffer,
  count: number,
  rows: number,
  cols: number,
  skip: number,
): void {
  if (count === 0 || rows === 0 || cols === 0) return;
  const size = 2 ** Math.ceil(Math.log2(Math.max(2, count)));
  launcher.withScratch(2 * size, (sorted) => {
    launcher.launch(pairs, sorted, [size, 2, 1], [ids], [count, rows, skip]);
    sort(launcher, sorted, size);
    launcher.withScratch(rows, (first) => {
      launcher.launch(starts, first, rows, [view(sorted, size, 2)], [size, Math.log2(size) + 1]);
      const inputs = [view(g, cols, count), view(sorted, size, 2), first, view(dtable, cols, rows)];
      launcher.launch(addRows, dtable, [cols, rows, 1], inputs, [size]);
    });
  });
}

function sort(launcher: Launcher, pairs: Scratch, size: number): void {
  for (let run = 2; run <= size; run *= 2) {
    for (let distance = run / 2; distance >= 1; distance /= 2) {
      launcher.launch(exchange, pairs, [size, 2, 1], [view(pairs, size, 2)], [distance, run]);
    }
  }
}
