import { readFileSync } from 'node:fs';
import {
  constantSchedule,
  cosineSchedule,
  getSchedule,
  LearningRateScheduler,
  linearSchedule,
  type Schedule,
  type ScheduleName,
} from '@burin/optim-paged';
import { expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';

const MANIFEST = new URL('../../../fixtures/optim/lr_schedules/manifest.json', import.meta.url);
const {
  config,
  expected_values: expected,
  expected_values_tolerance: tolerance,
} = JSON.parse(readFileSync(MANIFEST, 'utf8'));
const STEPS = { warmupSteps: config.num_warmup_steps, totalSteps: config.num_training_steps };
const SCHEDULES: Record<string, Schedule> = {
  linear: linearSchedule(STEPS),
  linear_no_warmup: linearSchedule({ totalSteps: STEPS.totalSteps }),
  cosine: cosineSchedule(STEPS),
  cosine_half_cycles: cosineSchedule({ ...STEPS, cycles: 1.5 }),
  constant_with_warmup: constantSchedule({ warmupSteps: STEPS.warmupSteps }),
  constant: constantSchedule(),
};

describe('schedules', () => {
  it.each(Object.keys(expected))('%s gives the rates of transformers, past the end too', (name) => {
    const group = { lr: config.base_lr };
    const scheduler = new LearningRateScheduler({ paramGroups: [group] }, SCHEDULES[name]!);
    const rates: number[] = [];
    for (let step = 0; step < config.listed_steps; step++) {
      rates.push(group.lr);
      scheduler.step();
    }
    expectClose(rates, expected[name], tolerance[name], name);
  });

  it('are found by the names of Hugging Face', () => {
    for (const name of ['linear', 'cosine', 'constant_with_warmup'] as const) {
      expect(getSchedule(name, STEPS)(17)).toBe(SCHEDULES[name]!(17));
    }
    expect(getSchedule('constant', { totalSteps: 9 })(17)).toBe(1);
  });

  it('warm up over a run shorter than the warmup, and decay in no time at all', () => {
    expect(linearSchedule({ warmupSteps: 4, totalSteps: 2 })(3)).toBe(0.75);
    expect(linearSchedule({ warmupSteps: 4, totalSteps: 4 })(4)).toBe(0);
    expect(cosineSchedule({ totalSteps: 0 })(0)).toBe(1);
  });

  it('say what is wrong with their options', () => {
    expect(() => linearSchedule({ warmupSteps: -1, totalSteps: 3 })).toThrow(
      'linearSchedule: warmupSteps must be a whole number of 0 or more, got -1',
    );
    expect(() => getSchedule('cosine', { warmupSteps: 2 })).toThrow(
      'cosineSchedule: totalSteps must be a whole number of 0 or more, got NaN',
    );
    expect(() => cosineSchedule({ totalSteps: 3, cycles: 0 })).toThrow('cycles must be greater than 0, got 0');
    expect(() => getSchedule('constant', { warmupSteps: 2 })).toThrow(
      'getSchedule: constant has no warmup, got warmupSteps 2; use constant_with_warmup',
    );
    expect(() => getSchedule('polynomial' as ScheduleName)).toThrow(
      'getSchedule: expected constant, constant_with_warmup, linear or cosine, got polynomial',
    );
    const options = { totalSteps: 3, numWarmupSteps: 1 } as { totalSteps: number };
    const unknown = 'there is no option numWarmupSteps; expected warmupSteps';
    expect(() => linearSchedule(options)).toThrow(`linearSchedule: ${unknown}, totalSteps`);
    expect(() => cosineSchedule(options)).toThrow(`cosineSchedule: ${unknown}, totalSteps, cycles`);
    expect(() => constantSchedule({ numWarmupSteps: 1 } as object)).toThrow(`constantSchedule: ${unknown}`);
    expect(() => getSchedule('constant', options)).toThrow(`getSchedule: ${unknown}, totalSteps`);
  });
});

describe('LearningRateScheduler', () => {
  const halving: Schedule = (step) => 0.5 ** step;

  it('takes a schedule, not its name', () => {
    expect(() => new LearningRateScheduler({ paramGroups: [{ lr: 8 }] }, 'linear' as never)).toThrow(
      'LearningRateScheduler: expected a schedule such as linearSchedule({ totalSteps: 100 }), got linear',
    );
  });

  it('steers each group from its own first rate, one that was added later too', () => {
    const paramGroups: { lr: number }[] = [{ lr: 8 }, { lr: 4 }];
    const scheduler = new LearningRateScheduler({ paramGroups }, halving);
    scheduler.step();
    expect(scheduler.lastLr).toEqual([4, 2]);
    paramGroups.push({ lr: 16 });
    scheduler.step();
    expect(scheduler.lastLr).toEqual([2, 1, 4]);
  });

  it('resumes where it was', () => {
    const before = new LearningRateScheduler({ paramGroups: [{ lr: 8 }] }, halving);
    before.step();
    before.step();
    const after = new LearningRateScheduler({ paramGroups: [{ lr: 8 }] }, halving);
    after.loadStateDict(before.stateDict());
    expect(after.lastLr).toEqual([2]);
    after.step();
    expect(after.lastLr).toEqual([1]);
    expect(() => after.loadStateDict({ step: 0.5 })).toThrow(
      'LearningRateScheduler: step must be a whole number of 0 or more, got 0.5',
    );
  });
});
