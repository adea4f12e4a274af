import {
  Adam,
  type AdamHyperparameters,
  AdamW,
  LearningRateScheduler,
  linearSchedule,
  type ParameterGroupOptions,
  SGD,
} from '@burin/optim-paged';
import { type Tensor, tensor } from '@burin/tensor';
import { expectClose, type Fixture, readFixture } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { free, setGradient } from './support.js';

const CASES = [
  'adam',
  'adam_l2',
  'adamw',
  'adamw_betas_eps',
  'adamw_linear_warmup',
  'adamw_param_groups',
  'paged_adamw_32bit',
  'sgd_momentum',
  'sgd_nesterov_l2',
];

interface Config {
  shapes: number[][];
  steps: number;
  optimizer: string;
  lr: number;
  betas: [number, number];
  eps: number;
  weight_decay: number;
  momentum: number;
  nesterov: boolean;
  groups?: { tensors: number[]; lr: number; weight_decay: number }[];
  schedule?: string;
  num_warmup_steps: number;
  num_training_steps: number;
}

/** 32 elements a page for Adam, at most two pages of them on the device. */
const SMALL_PAGES = { pageBytes: 256, deviceBytes: 512 };

describe.each([
  ['all on the device', {}],
  ['two small pages on the device', SMALL_PAGES],
])('the reference runs, %s', (_, paging) => {
  it.each(CASES)('%s', async (name) => {
    const fixture = readFixture('optim', name);
    const config = fixture.manifest.config as unknown as Config;
    const params = config.shapes.map((shape, i) =>
      tensor(fixture.floats(`param.${i}.init`), shape, { requiresGrad: true }),
    );
    const optimizer = makeOptimizer(config, params, paging);
    const scheduler = config.schedule
      ? new LearningRateScheduler(
          optimizer,
          linearSchedule({ warmupSteps: config.num_warmup_steps, totalSteps: config.num_training_steps }),
        )
      : null;
    const rates: number[] = [];
    for (let step = 1; step <= config.steps; step++) {
      for (const [i, param] of params.entries()) setGradient(param, gradient(fixture, i, step));
      rates.push(optimizer.paramGroups[0]!.lr);
      await optimizer.step();
      scheduler?.step();
      await compareParameters(fixture, params, step);
    }
    await compareStates(fixture, optimizer);
    if (scheduler)
      expectClose(rates, fixture.manifest.expected_values!.lr_per_step as number[], { rtol: 1e-6, atol: 2e-8 });
    optimizer.dispose();
    free(params);
  });
});

function makeOptimizer(config: Config, params: Tensor[], paging: object): AdamW | Adam | SGD {
  const { lr, betas, eps, weight_decay: weightDecay, momentum, nesterov } = config;
  if (config.optimizer === 'SGD') return new SGD(params, { lr, momentum, nesterov, weightDecay, ...paging });
  if (config.groups) {
    const groups: ParameterGroupOptions<AdamHyperparameters>[] = config.groups.map((group) => ({
      params: group.tensors.map((i) => params[i]!),
      lr: group.lr,
      weightDecay: group.weight_decay,
    }));
    return new AdamW(groups, { betas, eps, ...paging });
  }
  const options = { lr, betas, eps, weightDecay, ...paging };
  return config.optimizer === 'Adam' ? new Adam(params, options) : new AdamW(params, options);
}

function gradient(fixture: Fixture, i: number, step: number): Float32Array {
  const all = fixture.floats(`grads.${i}`);
  const size = fixture.floats(`param.${i}.init`).length;
  return all.subarray((step - 1) * size, step * size);
}

async function compareParameters(fixture: Fixture, params: Tensor[], step: number): Promise<void> {
  for (const [i, param] of params.entries()) {
    const name = `param.${i}.step${step}`;
    if (fixture.has(name)) expectClose(await param.data(), fixture.floats(name), fixture.tolerance(name), name);
  }
}

async function compareStates(fixture: Fixture, optimizer: AdamW | Adam | SGD): Promise<void> {
  const { state } = await optimizer.stateDict();
  const names = Object.keys(fixture.manifest.tensors).filter((name) => name.startsWith('state.'));
  for (const name of names) {
    const [, key, kind] = name.split('.') as [string, string, string];
    const buffer = state[key]!.buffers[kind === 'exp_avg' ? 'expAvg' : 'expAvgSq']!;
    expectClose(buffer, fixture.floats(name), fixture.tolerance(name), name);
  }
  expect(Object.keys(state)).toHaveLength(3);
}
