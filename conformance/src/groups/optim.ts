import {
  constantSchedule,
  cosineSchedule,
  getSchedule,
  LearningRateScheduler,
  linearSchedule,
  type Optimizer,
  type ScheduleName,
} from '@burin/optim-paged';
import { type Tensor, tensor } from '@burin/tensor';
import { type Case, Unsupported } from '../case.js';
import type { HostTensor } from '../host-tensor.js';
import type { Outcome } from '../outcome.js';
import { optimizerOf } from './optimizer-of.js';

/** State buffers by PyTorch's names. */
const STATE_NAMES: Readonly<Record<string, string>> = {
  expAvg: 'exp_avg',
  expAvgSq: 'exp_avg_sq',
  momentumBuffer: 'momentum_buffer',
};

/** Trajectories of optimizers under given gradients, and learning-rate schedules. */
export async function optim(c: Case): Promise<Outcome> {
  if (c.config.has('optimizer')) return trajectory(c);
  if (c.config.has('base_lr')) return { values: schedules(c) };
  throw new Unsupported('neither an optimizer nor schedules');
}

async function trajectory(c: Case): Promise<Outcome> {
  const { config } = c;
  const name = config.text('optimizer');
  const params = Object.keys(c.manifest.tensors)
    .filter((key) => /^param\.\d+\.init$/.test(key))
    .map((key) => c.leaf(key));
  if (params.length === 0) throw new Unsupported(`${name} from a given state`);
  const optimizer = optimizerOf(config, name, params);
  try {
    const scheduler = schedulerOf(c, optimizer);
    const tensors: Record<string, HostTensor> = {};
    const rates: number[] = [];
    for (let step = 1; step <= config.number('steps'); step++) {
      rates.push(optimizer.paramGroups[0]!.lr);
      giveGradients(c, params, step);
      await optimizer.step();
      scheduler?.step();
      for (const [i, param] of params.entries()) {
        tensors[`param.${i}.step${step}`] = { shape: param.shape, data: await param.data() };
      }
    }
    return { tensors: { ...tensors, ...(await statesOf(optimizer, params)) }, values: { lr_per_step: rates } };
  } finally {
    optimizer.dispose();
  }
}

function schedulerOf({ config }: Case, optimizer: Optimizer<{ lr: number }>): LearningRateScheduler | null {
  if (!config.has('schedule')) return null;
  const schedule = getSchedule(config.text('schedule') as ScheduleName, {
    warmupSteps: config.number('num_warmup_steps', 0),
    totalSteps: config.number('num_training_steps'),
  });
  return new LearningRateScheduler(optimizer, schedule);
}

/** `grads.i` is `[steps, ...]`. */
function giveGradients(c: Case, params: readonly Tensor[], step: number): void {
  for (const [i, param] of params.entries()) {
    const { data } = c.host(`grads.${i}`);
    param.zeroGrad();
    param.grad = tensor(data.slice((step - 1) * param.size, step * param.size), param.shape);
  }
}

/** The optimizer's keys are places in the order of its groups, so states are put back by the parameters themselves. */
async function statesOf(
  optimizer: Optimizer<{ lr: number }>,
  params: readonly Tensor[],
): Promise<Record<string, HostTensor>> {
  const { state } = await optimizer.stateDict();
  const inOrder = optimizer.paramGroups.flatMap((group) => group.params);
  const tensors: Record<string, HostTensor> = {};
  for (const [i, param] of params.entries()) {
    const buffers = state[inOrder.indexOf(param)]?.buffers; // SGD without momentum keeps nothing
    for (const [name, data] of Object.entries(buffers ?? {})) {
      tensors[`state.${i}.${STATE_NAMES[name]}`] = { shape: param.shape, data };
    }
  }
  return tensors;
}

function schedules(c: Case): Record<string, number[]> {
  const { config } = c;
  const [warmupSteps, totalSteps] = [config.number('num_warmup_steps'), config.number('num_training_steps')];
  const cycles = c.noted(/([\d.]+) \(cosine_half_cycles\)/);
  const all = {
    linear: linearSchedule({ warmupSteps, totalSteps }),
    linear_no_warmup: linearSchedule({ totalSteps }),
    cosine: cosineSchedule({ warmupSteps, totalSteps }),
    cosine_half_cycles: cosineSchedule({ warmupSteps, totalSteps, cycles }),
    constant_with_warmup: constantSchedule({ warmupSteps }),
    constant: constantSchedule(),
  };
  const steps = Array.from({ length: config.number('listed_steps') }, (_, step) => step);
  const base = config.number('base_lr');
  return Object.fromEntries(
    Object.entries(all).map(([name, schedule]) => [name, steps.map((step) => base * schedule(step))]),
  );
}
