import { cpu } from '@burin/tensor';
import type { Case } from './case.js';
import { measure } from './measure.js';
import { type BenchRecord, rates, rounded } from './record.js';

/** What was found out about the machine before. */
export interface Machine {
  readonly engine: string;
  readonly threads: number;
  /** GB/s, or null where no case needs it. */
  readonly bandwidth: number | null;
}

/** Checks a case once, then measures it. */
export async function runCase({ name, shape, work, prepare }: Case, machine: Machine): Promise<BenchRecord> {
  const { memory } = cpu();
  const prepared = await prepare();
  try {
    await check(name, shape, prepared.check);
    await prepared.run(); // gradients and caches that stay are there from now on
    memory.resetPeak();
    const held = memory.liveBytes;
    const timing = await measure(prepared.run);
    const kept = memory.liveBytes - held;
    if (kept > 0) throw new Error(`bench: ${name} ${shape}: runs must free what they make, but kept ${kept} bytes`);
    return {
      ...{ name, shape, engine: machine.engine, threads: machine.threads },
      ...{ ms: rounded(timing.median), msBest: rounded(timing.best), msCpu: rounded(timing.cpu) },
      ...rates(work, timing, machine.bandwidth),
      peakBytes: memory.peakBytes,
    };
  } finally {
    prepared.dispose();
  }
}

async function check(name: string, shape: string, body: () => void | Promise<void>): Promise<void> {
  try {
    await body();
  } catch (cause) {
    throw new Error(`bench: ${name} ${shape}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  }
}
