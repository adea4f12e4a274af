import { isLinearLike, type Module } from '@burin/nn';
import { LoraLinear } from './lora-linear.js';
import { hasFloatWeight } from './stored-weight.js';

/** How many numbers of a model are trained. */
export interface TrainableParameters {
  trainable: number;
  total: number;
  /** trainable / total, from 0 to 1. */
  share: number;
  /** As PEFT prints it. */
  text: string;
}

/**
 * Counts the parameters of a model that `requiresGrad`. Weights stored in 4 bits count as what they stand for.
 *
 * @example
 * trainableParameters(model).text; // 'trainable params: 294,912 || all params: 124,734,720 || trainable%: 0.2364'
 */
export function trainableParameters(model: Module): TrainableParameters {
  let trainable = 0;
  let total = 0;
  for (const parameter of model.parameters()) {
    total += parameter.size;
    if (parameter.requiresGrad) trainable += parameter.size;
  }
  for (const [, module] of model.namedModules()) total += packedSize(module);
  const share = total === 0 ? 0 : trainable / total;
  const text =
    `trainable params: ${count(trainable)} || all params: ${count(total)} || ` +
    `trainable%: ${(100 * share).toFixed(4)}`;
  return { trainable, total, share, text };
}

/** Numbers in a weight that is no parameter: that of a quantized Linear. */
function packedSize(module: Module): number {
  if (!isLinearLike(module) || module instanceof LoraLinear || hasFloatWeight(module)) return 0;
  return module.inFeatures * module.outFeatures;
}

function count(value: number): string {
  return value.toLocaleString('en-US');
}
