import { setTimeout as sleep } from 'node:timers/promises';
import { expect } from 'vitest';
import { createEngine, type Engine } from '../src/cpu/engine.js';
import { withRun } from './kernel-cases.js';

const LONG = 1e9; // nanoseconds: a job that is said to take so long is shared, and starts the workers

/** An engine whose workers are at work already, and which shares every job in slices of one unit. It keeps no process alive. */
export async function sharingEngine(threads: number): Promise<Engine> {
  const engine = createEngine(threads);
  const at = engine.workspace(1 << 20);
  for (let tries = 0; engine.threads.ready < threads && tries < 1000; tries++) {
    engine.run('fill8', [at, tries], 1 << 20, LONG);
    await sleep(10);
  }
  expect(engine.threads).toEqual({ count: threads, ready: threads, limit: null });
  return withRun(engine, (name, args, units, unitCost, scratchBytes) =>
    engine.run(name, args, units, unitCost === 0 ? 0 : LONG, scratchBytes),
  );
}
