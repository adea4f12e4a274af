import type { FolderSource } from '@burin/checkpoint';
import type { Generator } from '@burin/tensor';
import type { RawConfig } from './config-reader.js';
import { type LoadOptions, loadPretrained } from './load-pretrained.js';
import { type Architecture, PretrainedModel } from './pretrained-model.js';
import { type SaveOptions, savePretrained } from './save-pretrained.js';
import { randomWeights, type Weights } from './weights.js';

/** What every family's configuration has. */
export interface FamilyConfig {
  readonly initializerRange: number;
  /** The file's own content, written back by savePretrained. */
  readonly raw: RawConfig;
}

/** What a model and its layers are made of. */
export interface ModelParts<C extends FamilyConfig> {
  config: C;
  /** Makes the layers. */
  weights: Weights;
  /** Draws dropout in training; without it nothing is dropped. */
  rng: Generator | null;
}

/** Models that share a configuration. C: what is read from config.json; O: options in code. */
export interface Family<C extends FamilyConfig, O extends object> {
  /** Options as config.json has them. */
  rawConfig(options: O): RawConfig;
  /** @throws ConfigError that names the key; `where` is put before it */
  readConfig(raw: unknown, where?: string): C;
  /** About how many numbers the weights are, without a head. */
  weightCount(config: C): number;
  /** The body's field; a checkpoint of the body alone leaves it out of its names. */
  readonly baseModel?: string;
  /** Names in older checkpoints that follow from others or are not read. */
  readonly ignored?: RegExp;
  /** config.json with what only the names in the checkpoint say. */
  amendConfig?(raw: RawConfig, names: ReadonlyMap<string, unknown>): RawConfig;
  /** Whether transformers 5 has a tensor for each name of one that is shared here: then each is written. */
  hasTensorsApart?(config: C): boolean;
}

/** A class of models as {@link FamilyModel} needs it. */
export interface FamilyClass<M extends PretrainedModel, C extends FamilyConfig, O extends object> {
  /** The name in config.json's `architectures`. */
  readonly architecture: string;
  readonly family: Family<C, O>;
  /** Names that the class has for members of a family, where it serves several; each reads config.json in its own way. */
  members?(): Readonly<Record<string, Family<C, O>>>;
  new (parts: ModelParts<C>): M;
}

/** A model with a head: made in code, read from a folder, written to one. Subclasses have fields and `forward`. */
export abstract class FamilyModel<C extends FamilyConfig> extends PretrainedModel {
  abstract get config(): C;

  /** A new one with random weights. @throws ConfigError that names an option */
  static create<M extends PretrainedModel, C extends FamilyConfig, O extends object>(
    this: FamilyClass<M, C, O>,
    options: O,
    { rng }: { rng: Generator },
  ): M {
    // biome-ignore lint/complexity/noThisInStatic: the class that it is called on, not this one
    return newModel(this, options, rng);
  }

  /** Reads a Hugging Face folder. @throws see {@link loadPretrained} */
  static fromPretrained<M extends PretrainedModel, C extends FamilyConfig, O extends object>(
    this: FamilyClass<M, C, O>,
    folder: FolderSource,
    options?: LoadOptions,
  ): Promise<M> {
    // biome-ignore lint/complexity/noThisInStatic: the class that it is called on, not this one
    return loadPretrained(folder, architecturesOf(this), options);
  }

  /** Writes a Hugging Face folder. See {@link savePretrained}. */
  savePretrained(folder: string, options?: SaveOptions) {
    return savePretrained(this, folder, options);
  }

  get architecture(): string {
    return (this.constructor as unknown as { architecture: string }).architecture;
  }

  get rawConfig(): RawConfig {
    return this.config.raw;
  }

  override get hasTensorsApart(): boolean {
    const { family } = this.constructor as unknown as { family: Family<C, object> };
    return family.hasTensorsApart?.(this.config) ?? false;
  }
}

function newModel<M extends PretrainedModel, C extends FamilyConfig, O extends object>(
  model: FamilyClass<M, C, O>,
  options: O,
  rng: Generator,
): M {
  const { architecture, family } = model;
  const config = family.readConfig(family.rawConfig(options), `${architecture}.create`);
  return new model({ config, weights: randomWeights(rng, config.initializerRange), rng });
}

/** How the loader makes a model of a class. */
export function architectureOf<M extends PretrainedModel, C extends FamilyConfig, O extends object>(
  model: FamilyClass<M, C, O>,
): Architecture<M> {
  return describe(model, model.architecture, model.family);
}

/** The same under every name that the class has. */
export function architecturesOf<M extends PretrainedModel, C extends FamilyConfig, O extends object>(
  model: FamilyClass<M, C, O>,
): Architecture<M>[] {
  const members = Object.entries(model.members?.() ?? { [model.architecture]: model.family });
  return members.map(([architecture, family]) => describe(model, architecture, family));
}

function describe<M extends PretrainedModel, C extends FamilyConfig, O extends object>(
  model: FamilyClass<M, C, O>,
  architecture: string,
  family: Family<C, O>,
): Architecture<M> {
  return {
    architecture,
    weightCount: (raw, where) => family.weightCount(family.readConfig(raw, where)),
    fromConfig: (raw, weights, where, rng) => new model({ config: family.readConfig(raw, where), weights, rng }),
    ...(family.baseModel !== undefined && { baseModel: family.baseModel }),
    ...(family.ignored && { ignored: family.ignored }),
    ...(family.amendConfig && { amendConfig: family.amendConfig }),
  };
}
