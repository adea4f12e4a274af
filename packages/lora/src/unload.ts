import type { Module } from '@burin/nn';
import type { Tensor } from '@burin/tensor';
import { LoraLinear } from './lora-linear.js';
import { SavedModule } from './saved-module.js';

/**
 * Puts one module in the place of each wrapper, and frees every tensor that the model does not use any more: adapters,
 * and weights that were merged, but not those that another module shares.
 *
 * @param kept - what stays of a wrapper: the base as it was, or as it is now, merged
 */
export function replaceWrappers(root: Module, kept: 'original' | 'current'): void {
  const unused = tensorsIn(root);
  for (const [path, module] of [...root.namedModules()]) {
    if (module instanceof LoraLinear) {
      for (const tensor of tensorsIn(module.originalLayer)) unused.add(tensor);
      root.replaceModule(path, kept === 'original' ? module.originalLayer : module.baseLayer);
    } else if (module instanceof SavedModule) {
      root.replaceModule(path, kept === 'original' ? module.originalModule : module.current);
    }
  }
  for (const tensor of tensorsIn(root)) unused.delete(tensor);
  for (const tensor of unused) {
    tensor.zeroGrad();
    tensor.dispose();
  }
}

function tensorsIn(module: Module): Set<Tensor> {
  return new Set<Tensor>([...module.parameters(), ...[...module.namedBuffers()].map(([, buffer]) => buffer)]);
}
