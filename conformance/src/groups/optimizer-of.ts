import {
  Adam,
  AdamW,
  type MaybeNamed,
  type Optimizer,
  type OptimizerParameters,
  type PagingOptions,
  SGD,
} from '@burin/optim-paged';
import { Unsupported } from '../case.js';
import type { Settings } from '../settings.js';

interface Learning {
  lr: number;
}

/** Pages so small that the state of the smallest case moves between device and host in every step. */
const PAGED: PagingOptions = { pageBytes: 64, deviceBytes: 128 };

/** The optimizer that a table of a manifest asks for: name, hyperparameters, groups. */
export function optimizerOf(config: Settings, name: string, params: readonly MaybeNamed[]): Optimizer<Learning> {
  if (config.flag('amsgrad')) throw new Unsupported(`${name} with amsgrad`);
  switch (name) {
    case 'Adam':
      return new Adam(groupsOf(config, params), adamOptions(config));
    case 'AdamW':
      return new AdamW(groupsOf(config, params), adamOptions(config));
    case 'PagedAdamW32bit':
      return new AdamW(groupsOf(config, params), { ...adamOptions(config), ...PAGED });
    case 'SGD':
      return new SGD(groupsOf(config, params), sgdOptions(config));
    default:
      throw new Unsupported(`the optimizer ${name}`);
  }
}

function adamOptions(config: Settings) {
  const [beta1, beta2] = config.numbers('betas') as [number, number];
  return { ...sharedOptions(config), betas: [beta1, beta2] as const, eps: config.number('eps') };
}

function sgdOptions(config: Settings) {
  return {
    ...sharedOptions(config),
    momentum: config.number('momentum', 0),
    dampening: config.number('dampening', 0),
    nesterov: config.flag('nesterov'),
  };
}

/** What groups may have of their own. */
function sharedOptions(config: Settings): { lr?: number; weightDecay?: number } {
  return {
    ...(config.has('lr') && { lr: config.number('lr') }),
    ...(config.has('weight_decay') && { weightDecay: config.number('weight_decay') }),
  };
}

/** Groups name their parameters by place. */
function groupsOf<H>(config: Settings, params: readonly MaybeNamed[]): OptimizerParameters<H> {
  if (!config.has('groups')) return params;
  return config.tables('groups').map((group) => {
    return { params: group.numbers('tensors').map((i) => params[i]!), ...sharedOptions(group) } as never;
  });
}
