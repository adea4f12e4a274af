import type { Module } from '@burin/nn';
import { LoraModel } from './lora-model.js';
import { type LoraOptions, requireGenerator, resolveOptions } from './options.js';
import { planAdapter } from './plan.js';

/** PEFT's name of an adapter that was given none. */
export const DEFAULT_ADAPTER = 'default';

/**
 * Puts a LoRA adapter on a model, active and trainable, and freezes all else. The model is changed in place: each chosen
 * Linear is wrapped in a {@link LoraLinear}. A starts random, B as zeros, so the model gives what it gave before.
 *
 * @returns the handle to merge, switch, save and take off; `reports` says what was matched, with shapes
 * @throws RangeError if a name or pattern matches nothing (near names are listed), an option is out of range or unknown, or
 *   the model has adapters already
 * @see Hu et al. 2021, https://arxiv.org/abs/2106.09685; names and matching follow https://github.com/huggingface/peft
 * @example
 * const lora = applyLora(model, { rank: 8, alpha: 16, targetModules: ['q_proj', 'v_proj'], rng: new Generator(0) });
 */
export function applyLora<M extends Module>(model: M, options: LoraOptions & { adapterName?: string }): LoraModel<M> {
  const { adapterName = DEFAULT_ADAPTER, ...rest } = options;
  const config = resolveOptions('applyLora', rest);
  requireGenerator('applyLora', options.rng);
  const plan = planAdapter('applyLora', model, config);
  const lora = new LoraModel(model);
  lora.attach(adapterName, config, plan, { active: true, trainable: true, rng: options.rng });
  return lora;
}
