import { Module } from '@burin/nn';
import type { Generator } from '@burin/tensor';
import type { RawConfig } from './config-reader.js';
import type { Weights } from './weights.js';

/** A model that a Hugging Face folder can hold. */
export abstract class PretrainedModel extends Module {
  /** The name in config.json's `architectures`. */
  abstract readonly architecture: string;
  /** config.json as it is written. */
  abstract get rawConfig(): RawConfig;
  /** Whether a tensor that parts share is written under each of its names. */
  get hasTensorsApart(): boolean {
    return false;
  }
  #generationConfig: RawConfig | null = null;

  /** generation_config.json as it was read and is written: what `generate` does where it is not told. Null: none. */
  get generationConfig(): RawConfig | null {
    return this.#generationConfig;
  }

  set generationConfig(config: RawConfig | null) {
    this.#generationConfig = config;
  }
}

/** How a class of models is made from config.json. */
export interface Architecture<M extends PretrainedModel> {
  /** The name in config.json's `architectures`. */
  readonly architecture: string;
  /** About how many numbers the weights are: compared with the file before memory is taken for them. */
  weightCount(raw: RawConfig, where: string): number;
  /** The body's field; a checkpoint of the body alone leaves it out of its names. */
  readonly baseModel?: string;
  /** Names in older checkpoints that follow from others or are not read. */
  readonly ignored?: RegExp;
  /** config.json with what only the names in the checkpoint say. */
  amendConfig?(raw: RawConfig, names: ReadonlyMap<string, unknown>): RawConfig;
  /** A model whose layers `weights` makes; `rng` draws dropout in training. `where` is put before messages. */
  fromConfig(raw: RawConfig, weights: Weights, where: string, rng: Generator | null): M;
}
