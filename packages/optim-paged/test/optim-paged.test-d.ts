import {
  AdamW,
  getSchedule,
  linearSchedule,
  type Optimizer,
  type OptimizerState,
  type Schedule,
  SGD,
} from '@burin/optim-paged';
import type { Tensor } from '@burin/tensor';
import { expectTypeOf, test } from 'vitest';

declare const p: Tensor;

test('options are checked', () => {
  expectTypeOf(new AdamW([p], { lr: 1e-3, betas: [0.9, 0.95], deviceBytes: 2 ** 20 }).step()).toEqualTypeOf<
    Promise<void>
  >();
  // @ts-expect-error: the option is `weightDecay`
  new AdamW([p], { weight_decay: 0.1 });
  // @ts-expect-error: Adam has no momentum
  new AdamW([{ params: [p], momentum: 0.9 }]);
  // @ts-expect-error: two betas
  new AdamW([p], { betas: [0.9] });
});

test('parameters come plain, named, or in groups', () => {
  new SGD(new Set([p]));
  new SGD([['weight', p] as const]);
  new SGD([{ params: [p], lr: 1 }, { params: [['bias', p]] }]);
  // @ts-expect-error: numbers are no parameters
  new SGD([1]);
});

test('groups and state are typed by the kind of optimizer', () => {
  const optimizer = new AdamW([p]);
  expectTypeOf(optimizer.paramGroups[0]!.betas).toEqualTypeOf<readonly [number, number]>();
  expectTypeOf<Awaited<ReturnType<typeof optimizer.stateDict>>>().toExtend<OptimizerState<{ lr: number }>>();
  expectTypeOf(optimizer).toExtend<Optimizer<{ lr: number }>>();
  expectTypeOf(optimizer).not.toExtend<Optimizer<{ lr: number; momentum: number }>>();
});

test('schedules are functions of the step', () => {
  expectTypeOf(linearSchedule({ totalSteps: 3 })).toEqualTypeOf<Schedule>();
  // @ts-expect-error: a decay needs an end
  linearSchedule({ warmupSteps: 3 });
  // @ts-expect-error: no such schedule
  getSchedule('polynomial');
});
