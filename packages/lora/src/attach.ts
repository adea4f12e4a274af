import type { LinearLike, Module } from '@burin/nn';
import type { Generator } from '@burin/tensor';
import type { AdapterSwitch } from './adapter-switch.js';
import { LoraLinear } from './lora-linear.js';
import { type LoraConfig, rankOf, scaleOf } from './options.js';
import type { AdapterPlan } from './plan.js';
import { SavedModule } from './saved-module.js';

interface Adapter {
  name: string;
  config: LoraConfig;
  plan: AdapterPlan;
  trainable: boolean;
  rng: Generator | null;
}

/**
 * Wraps what an adapter takes hold of, where it is not wrapped yet, and gives each wrapper the adapter's part. A module that
 * stands in several places is wrapped once: it has one weight, and one adapter.
 */
export function attachAdapter(root: Module, adapters: AdapterSwitch, adapter: Adapter): void {
  const wrappers = new Map<Module, Module>();
  const wrapAt = (path: string, module: Module, wrap: () => Module) => {
    const wrapper = wrappers.get(module) ?? wrap();
    wrappers.set(module, wrapper);
    if (wrapper !== module) root.replaceModule(path, wrapper);
  };
  for (const [path, target] of adapter.plan.targets)
    wrapAt(path, target, () => adapted(target, path, adapters, adapter));
  for (const [path, module] of adapter.plan.saved) wrapAt(path, module, () => copied(module, adapters, adapter));
}

function adapted(target: LinearLike, path: string, adapters: AdapterSwitch, adapter: Adapter): LoraLinear {
  const { name, config, trainable, rng } = adapter;
  const layer = target instanceof LoraLinear ? target : new LoraLinear(target, adapters);
  const rank = rankOf(config, path);
  layer.addAdapter(name, { rank, scale: scaleOf(config, path), dropout: config.dropout, trainable, rng });
  return layer;
}

function copied(original: Module, adapters: AdapterSwitch, { name, trainable }: Adapter): SavedModule {
  const module = original instanceof SavedModule ? original : new SavedModule(original, adapters);
  module.addAdapter(name, { trainable });
  return module;
}
