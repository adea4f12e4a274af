import type { Module } from '@burin/nn';
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

/** Wraps what an adapter takes hold of, where it is not wrapped yet, and gives each wrapper the adapter's part. */
export function attachAdapter(root: Module, adapters: AdapterSwitch, adapter: Adapter): void {
  const { name, config, plan, trainable, rng } = adapter;
  for (const [path, target] of plan.targets) {
    const layer = target instanceof LoraLinear ? target : new LoraLinear(target, adapters);
    if (layer !== target) root.replaceModule(path, layer);
    const rank = rankOf(config, path);
    layer.addAdapter(name, { rank, scale: scaleOf(config, path), dropout: config.dropout, trainable, rng });
  }
  for (const [path, original] of plan.saved) {
    const module = original instanceof SavedModule ? original : new SavedModule(original, adapters);
    module.addAdapter(name, { trainable, path });
    if (module !== original) root.replaceModule(path, module);
  }
}
