import { type Module, stateDict } from '@burin/nn';
import type { Shape, Tensor } from '@burin/tensor';
import type { LoraModel } from './lora-model.js';
import { type LoraConfig, rankOf } from './options.js';
import type { AdapterPlan } from './plan.js';

/** What PEFT puts before the dotted name of a module in the wrapped model. */
const PREFIX = 'base_model.model.';

/** The tensors of one adapter under the names that PEFT gives them in `adapter_model.safetensors`. */
export function adapterState(lora: LoraModel, name: string): Map<string, Tensor> {
  const state = new Map<string, Tensor>();
  for (const [path, { lora_A, lora_B }] of lora.layers()) {
    if (!lora_A.has(name)) continue;
    state.set(`${PREFIX}${path}.lora_A.weight`, lora_A.get(name)!.weight);
    state.set(`${PREFIX}${path}.lora_B.weight`, lora_B.get(name)!.weight);
  }
  for (const [path, { modulesToSave }] of lora.savedModules()) {
    const copy = modulesToSave.get(name);
    if (copy) for (const [key, tensor] of stateDict(copy)) state.set(`${PREFIX}${path}.${key}`, tensor);
  }
  for (const [path, bias] of lora.trainedBiases(name)) state.set(PREFIX + path, bias);
  return state;
}

/** The same names with the shapes that an adapter of a plan will have, before the model is changed. */
export function expectedShapes(config: LoraConfig, { targets, saved, biases }: AdapterPlan): Map<string, Shape> {
  const shapes = new Map<string, Shape>();
  for (const [path, { inFeatures, outFeatures }] of targets) {
    const rank = rankOf(config, path);
    shapes.set(`${PREFIX}${path}.lora_A.weight`, [rank, inFeatures]);
    shapes.set(`${PREFIX}${path}.lora_B.weight`, [outFeatures, rank]);
  }
  for (const [path, module] of saved) {
    for (const [key, { shape }] of stateDict(unwrapped(module))) shapes.set(`${PREFIX}${path}.${key}`, shape);
  }
  for (const [path, { shape }] of biases) shapes.set(PREFIX + path, shape);
  return shapes;
}

/** The module that a wrapper of an earlier adapter holds. */
function unwrapped(module: Module): Module {
  return 'originalModule' in module ? (module.originalModule as Module) : module;
}
