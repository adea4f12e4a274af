import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Adam, AdamW, type Optimizer, type PagingOptions, SGD } from '@burin/optim-paged';
import { cpu, type Device } from '@burin/tensor';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deviceWithoutReadNow, free, PROPERTY, parameters, setGradients, touchMemory, values } from './support.js';

const STEPS = 4;
const KINDS = ['AdamW', 'Adam', 'SGD'] as const;

interface Run {
  kind: (typeof KINDS)[number];
  sizes: number[];
  groups: boolean; // the parameters of odd number in a group of their own
  skip: number; // bit i + step: parameter i has no gradient in that step
}

interface Paging {
  page: number; // in units of four elements
  pagesOnDevice: number;
  limitedBy: 'deviceBytes' | 'budget';
  file: boolean;
  pressure: number; // bit s: the device is full after step s
  resumeAfter: number; // this step ends with a new optimizer that loads the state
  readNow: boolean;
}

const runs: fc.Arbitrary<Run> = fc.record({
  kind: fc.constantFrom(...KINDS),
  sizes: fc.array(fc.integer({ min: 1, max: 41 }), { minLength: 1, maxLength: 6 }),
  groups: fc.boolean(),
  skip: fc.nat(1023),
});

const pagings: fc.Arbitrary<Paging> = fc.record({
  page: fc.integer({ min: 1, max: 6 }),
  pagesOnDevice: fc.integer({ min: 1, max: 8 }),
  limitedBy: fc.constantFrom('deviceBytes', 'budget'),
  file: fc.boolean(),
  pressure: fc.nat(15),
  resumeAfter: fc.nat(STEPS),
  readNow: fc.boolean(),
});

function make(
  { kind, groups }: Run,
  params: ReturnType<typeof parameters>,
  paging: PagingOptions,
): Optimizer<{ lr: number }> {
  const odd = params.filter((_, i) => i % 2 === 1);
  const even = params.filter((_, i) => i % 2 === 0);
  const given = groups && odd.length > 0 ? [{ params: even }, { params: odd, lr: 0.05, weightDecay: 0.3 }] : params;
  if (kind === 'SGD') return new SGD(given, { lr: 0.1, momentum: 0.9, nesterov: true, ...paging });
  return kind === 'Adam' ? new Adam(given, { lr: 0.1, ...paging }) : new AdamW(given, { lr: 0.1, ...paging });
}

/** The parameters and the state after a run, and what it moved. */
async function train(run: Run, folder: string, paging: Paging | null) {
  const device: Device = paging && !paging.readNow ? deviceWithoutReadNow() : cpu();
  const unit = run.kind === 'SGD' ? 16 : 32;
  const pageBytes = (paging?.page ?? 0) * unit;
  const room = (paging?.pagesOnDevice ?? 0) * pageBytes;
  const options = (index: number): PagingOptions => {
    if (!paging) return {};
    const limit = paging.limitedBy === 'deviceBytes' ? { deviceBytes: room } : {};
    return { pageBytes, ...limit, ...(paging.file ? { file: join(folder, `pages-${index}`) } : {}) };
  };
  const params = parameters(run.sizes, 7, device);
  let optimizer = make(run, params, options(0));
  for (let step = 0; step < STEPS; step++) {
    setGradients(params, step, (i) => ((run.skip >> (i + step)) & 1) === 1);
    const others = device.memory.liveBytes - optimizer.paging.deviceBytes;
    if (paging?.limitedBy === 'budget') device.memory.budget = others + room;
    await optimizer.step();
    device.memory.budget = Number.POSITIVE_INFINITY;
    if (((paging?.pressure ?? 0) >> step) & 1) await press(optimizer, device);
    if (paging?.resumeAfter === step) {
      const state = await optimizer.stateDict();
      optimizer.dispose();
      optimizer = make(run, params, options(1));
      optimizer.loadStateDict(state);
    }
  }
  const result = { values: await values(params), state: await optimizer.stateDict() };
  const moved = optimizer.paging.pagesOut;
  optimizer.dispose();
  free(params);
  return { result, moved };
}

/** Makes the device ask for all the room that the optimizer has. */
async function press(optimizer: Optimizer<{ lr: number }>, device: Device): Promise<void> {
  const { deviceBytes } = optimizer.paging;
  if (deviceBytes === 0) return;
  if (!device.readNow) await optimizer.flush();
  device.memory.budget = device.memory.liveBytes;
  touchMemory(deviceBytes);
  device.memory.budget = Number.POSITIVE_INFINITY;
  expect(optimizer.paging.pagesOnDevice).toBe(0);
}

describe('paging', () => {
  it('changes no bit, whatever the pages, the room, the groups and the pressure', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'burin-equal-'));
    let moved = 0;
    try {
      await fc.assert(
        fc.asyncProperty(runs, pagings, async (run, paging) => {
          const before = cpu().memory.liveBytes;
          const plain = await train(run, folder, null);
          const paged = await train(run, folder, paging);
          expect(paged.result).toEqual(plain.result);
          expect(cpu().memory.liveBytes).toBe(before);
          if (paged.moved > 0) moved++;
        }),
        PROPERTY,
      );
    } finally {
      cpu().memory.budget = Number.POSITIVE_INFINITY;
      rmSync(folder, { recursive: true });
    }
    expect(moved).toBeGreaterThan(PROPERTY.numRuns / 3); // else nothing was tried
  });
});

describe('a device that is read by waiting only', () => {
  const SIZES = [12, 12, 12];
  const PAGING = { pageBytes: 32, deviceBytes: 64 };

  it('pages ahead of the turn, counts the waits, and keeps the numbers under pressure in the middle of a step', async () => {
    const results = [];
    for (const device of [cpu(), deviceWithoutReadNow()]) {
      const params = parameters(SIZES, 3, device);
      const optimizer = new AdamW(params, PAGING);
      for (let step = 0; step < 3; step++) {
        setGradients(params, step);
        const stepping = optimizer.step();
        if (!device.readNow) {
          await expect(optimizer.stateDict()).rejects.toThrow(
            'AdamW.stateDict: a step is still running; await step() first',
          );
          device.memory.budget = device.memory.liveBytes;
          expect(() => touchMemory(4096)).toThrow('budget');
          device.memory.budget = Number.POSITIVE_INFINITY;
        }
        await stepping;
      }
      results.push([await values(params), await optimizer.stateDict()]);
      expect(optimizer.paging).toMatchObject({ pages: 9, pagesOnDevice: 2, pagesOut: 7 * 3, pagesIn: 7 * 2 });
      if (!device.readNow) expect(optimizer.paging.waits).toBeGreaterThan(0);
      optimizer.dispose();
      free(params);
    }
    expect(results[1]).toEqual(results[0]);
  });

  it('keeps dirty pages in the middle of an allocation, and lets go of clean ones', async () => {
    const device = deviceWithoutReadNow();
    const params = parameters(SIZES, 3, device);
    const optimizer = new AdamW(params, PAGING);
    setGradients(params, 0);
    await optimizer.step();
    const { pagesOut } = optimizer.paging;
    device.memory.budget = device.memory.liveBytes;
    expect(() => touchMemory(32)).toThrow('budget');
    await new Promise((resolve) => setTimeout(resolve, 5)); // nothing was begun that would end later
    expect(optimizer.paging).toMatchObject({ pagesOut, pagesOnDevice: 2 });
    await optimizer.flush();
    touchMemory(32);
    expect(optimizer.paging).toMatchObject({ pagesOut: pagesOut + 2, writeBacksAvoided: 1, pagesOnDevice: 1 });
    device.memory.budget = Number.POSITIVE_INFINITY;
    optimizer.dispose();
    free(params);
  });

  it('refuses a step for which there is no room before anything has changed', async () => {
    const device = deviceWithoutReadNow();
    const params = parameters(SIZES, 3, device);
    const optimizer = new AdamW(params, PAGING);
    setGradients(params, 0);
    await optimizer.step();
    const before = [await values(params), await optimizer.stateDict()];
    setGradients(params, 1);
    const others = device.memory.liveBytes - optimizer.paging.deviceBytes;
    device.memory.budget = others + 31;
    const stepping = optimizer.step();
    await expect(stepping).rejects.toThrow(`the smallest budget that would do is ${others + 32} bytes`);
    device.memory.budget = Number.POSITIVE_INFINITY;
    expect([await values(params), await optimizer.stateDict()]).toEqual(before);
    optimizer.dispose();
    free(params);
  });
});
