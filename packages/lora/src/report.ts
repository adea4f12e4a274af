import { type LoraConfig, rankOf } from './options.js';
import type { AdapterPlan } from './plan.js';

/** One layer that got an adapter: A is `[rank, inFeatures]`, B `[outFeatures, rank]`. */
export interface AdaptedLayer {
  readonly name: string;
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly rank: number;
}

/** What an adapter took hold of. */
export interface AdapterReport {
  readonly adapter: string;
  readonly layers: readonly AdaptedLayer[];
  /** Dotted names of the modules of which it has a trainable copy. */
  readonly modulesToSave: readonly string[];
  /** Dotted names of the biases that it trains. */
  readonly biases: readonly string[];
  /** A line for each, with shapes. */
  readonly text: string;
}

export function describePlan(
  adapter: string,
  config: LoraConfig,
  { targets, saved, biases }: AdapterPlan,
): AdapterReport {
  const layers = [...targets].map(([name, { inFeatures, outFeatures }]) => {
    return { name, inFeatures, outFeatures, rank: rankOf(config, name) };
  });
  const lines = layers.map(
    ({ name, inFeatures, outFeatures, rank }) => `${name}: A [${rank}, ${inFeatures}], B [${outFeatures}, ${rank}]`,
  );
  lines.push(...[...saved.keys()].map((name) => `${name}: a trainable copy`));
  lines.push(...[...biases].map(([name, { shape }]) => `${name}: trained, [${shape}]`));
  return { adapter, layers, modulesToSave: [...saved.keys()], biases: [...biases.keys()], text: lines.join('\n') };
}
