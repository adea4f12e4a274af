import type { Module } from '@burin/nn';
import { BatchNorm, LayerNorm, RmsNorm } from '@burin/norm';
import { AdamW } from '@burin/optim-paged';
import type { TrainingArguments } from './arguments.js';
import { trainableParameters } from './model.js';

/** What an optimizer has gathered of one parameter. */
export interface OptimizerParameterState {
  readonly step: number;
  readonly buffers: Readonly<Record<string, Float32Array>>;
}

/** The state of an optimizer as host data: what `@burin/optim-paged`'s optimizers give. */
export interface OptimizerSnapshot {
  readonly state: Readonly<Record<string, OptimizerParameterState>>;
  readonly paramGroups: readonly object[];
}

/** What the trainer asks of an optimizer: those of `@burin/optim-paged` have it, and one of your own may. */
export interface TrainerOptimizer {
  readonly paramGroups: readonly { lr: number; initialLr?: number }[];
  step(): Promise<void> | void;
  stateDict(): Promise<OptimizerSnapshot> | OptimizerSnapshot;
  loadStateDict(state: OptimizerSnapshot): void;
  dispose?(): void;
}

/** Names that are not decayed, from transformers' `Trainer.get_decay_parameter_names`. */
const NOT_DECAYED = [/bias/, /layernorm/, /rmsnorm/, /(?:^|\.)norm(?:$|\.)/, /_norm(?:$|\.)/];

/**
 * Parameters that are to be trained, apart by whether weight decay applies: not to biases, nor to the weights of norms,
 * as in Hugging Face's trainer.
 */
export function decayGroups(model: Module) {
  const ofNorms = new Set<unknown>();
  for (const [, module] of model.namedModules()) {
    const isNorm = module instanceof LayerNorm || module instanceof RmsNorm || module instanceof BatchNorm;
    if (isNorm) for (const parameter of module.parameters()) ofNorms.add(parameter);
  }
  const isDecayed = (name: string, parameter: unknown) =>
    !ofNorms.has(parameter) && !NOT_DECAYED.some((pattern) => pattern.test(name.toLowerCase()));
  const all = trainableParameters(model);
  return {
    decayed: all.filter(([name, parameter]) => isDecayed(name, parameter)),
    notDecayed: all.filter(([name, parameter]) => !isDecayed(name, parameter)),
  };
}

/** The default optimizer: AdamW over all trainable parameters, its state paged as the device's budget asks. */
export function defaultOptimizer(model: Module, args: TrainingArguments): AdamW {
  const { decayed, notDecayed } = decayGroups(model);
  const groups = [
    { params: decayed, weightDecay: args.weightDecay },
    { params: notDecayed, weightDecay: 0 },
  ].filter(({ params }) => params.length > 0);
  const betas = [args.adamBeta1, args.adamBeta2] as const;
  return new AdamW(groups, { lr: args.learningRate, betas, eps: args.adamEpsilon, weightDecay: args.weightDecay });
}
