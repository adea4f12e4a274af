import { cpuUsage } from 'node:process';

/** How long to measure. */
export interface Budget {
  /** Stop after so many milliseconds of runs ... */
  readonly milliseconds: number;
  /** ... but not before so many runs. */
  readonly runs: number;
}

/** Milliseconds of one run. */
export interface Timing {
  readonly median: number;
  readonly best: number;
  /** Processor time of all threads, on average. */
  readonly cpu: number;
  readonly runs: number;
}

const BUDGET: Budget = { milliseconds: 500, runs: 5 };

const MOST_RUNS = 10_000;
const WARM_UP = 0.2; // of the budget: optimizing compilers see the code at work first
const LEAST_MILLISECONDS = 0.5; // shorter runs are timed several at once, as the clock and its call have a cost
const CLOCK = 1e-4; // milliseconds: a coarse clock may say that no time has passed

/** Runs `body` again and again: first to warm up, then with a clock. */
export async function measure(body: () => unknown, { milliseconds, runs }: Budget = BUDGET): Promise<Timing> {
  const first = await warmUp(body, milliseconds * WARM_UP);
  const inner = Math.max(1, Math.round(LEAST_MILLISECONDS / Math.max(first, CLOCK)));
  const times: number[] = [];
  const cpuBefore = cpuUsage();
  const end = performance.now() + milliseconds;
  while ((times.length < runs || performance.now() < end) && times.length < MOST_RUNS) {
    times.push((await timed(body, inner)) / inner);
  }
  const { user, system } = cpuUsage(cpuBefore);
  return {
    median: median(times),
    best: Math.min(...times),
    cpu: (user + system) / 1000 / times.length / inner,
    runs: times.length * inner,
  };
}

/** @returns milliseconds of the fastest run so far */
async function warmUp(body: () => unknown, milliseconds: number): Promise<number> {
  const end = performance.now() + milliseconds;
  let best = await timed(body, 1);
  do best = Math.min(best, await timed(body, 1));
  while (performance.now() < end);
  return best;
}

async function timed(body: () => unknown, times: number): Promise<number> {
  const start = performance.now();
  for (let i = 0; i < times; i++) {
    const result = body();
    if (result instanceof Promise) await result;
  }
  return performance.now() - start;
}

/** The value in the middle, or the mean of the two there. */
export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
