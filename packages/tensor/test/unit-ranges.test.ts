import { describe, expect, it } from 'vitest';
import type { RangeKernel } from '../src/cpu/board.js';
import { createEngine, type Engine } from '../src/cpu/engine.js';
import { CASES, runCase, withRun } from './kernel-cases.js';

/*
 * Kernels take ranges of independent units so that threads can share a call. Whatever the ranges, and whatever scratch
 * holds before, not a bit of the result may change.
 */

const whole = createEngine();

/** An engine that asks for units one by one, the last first, each with scratch full of NaN. */
function splitting(): { engine: Engine; calls: () => number } {
  const engine = createEngine();
  let calls = 0;
  const run: Engine['run'] = (name, args, units, unitCost, scratchBytes = 0) => {
    if (unitCost === 0) return engine.run(name, args, units, 0, scratchBytes); // its units are not independent
    const kernel = engine.exports[name] as RangeKernel;
    const scratch = scratchBytes > 0 ? [engine.workspace(scratchBytes)] : [];
    for (let unit = units - 1; unit >= 0; unit--) {
      for (const at of scratch) new Uint8Array(engine.memory.buffer, at, scratchBytes).fill(0xff);
      kernel(...args, unit, unit + 1, ...scratch);
      calls += 1;
    }
  };
  return { engine: withRun(engine, run), calls: () => calls };
}

describe('units of a kernel', () => {
  it.each(Object.entries(CASES))('%s', (_, run) => {
    const splitter = splitting();
    const split = runCase(splitter.engine, run);
    const expected = runCase(whole, run);
    expect(splitter.calls()).toBeGreaterThan(1);
    expect(split.length).toBe(expected.length);
    expect(split.findIndex((byte, at) => byte !== expected[at])).toBe(-1);
  });
});
