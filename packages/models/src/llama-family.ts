import type { Family } from './family.js';
import { type LlamaConfig, type LlamaModelType, llamaConfig, llamaWeightCount } from './llama-config.js';
import type { LlamaOptions } from './llama-for-causal-lm.js';
import { rawConfigOf } from './raw-config.js';

/** Any member of the Llama family: options say which, by `modelType`. */
export const llama: Family<LlamaConfig, LlamaOptions> = {
  rawConfig: (options) => rawConfigOf(options.modelType ?? 'llama', options),
  readConfig: (raw, where) => llamaConfig(raw, where),
  weightCount: llamaWeightCount,
};

/** One name each for members of the family, whose config.json must be of that member. */
export function llamaMembers(
  names: Readonly<Partial<Record<LlamaModelType, string>>>,
  baseModel: string,
): Record<string, Family<LlamaConfig, LlamaOptions>> {
  const members = Object.entries(names) as [LlamaModelType, string][];
  return Object.fromEntries(
    members.map(([modelType, name]) => [
      name,
      { ...llama, baseModel, readConfig: (raw, where) => llamaConfig(raw, where, modelType) },
    ]),
  );
}
