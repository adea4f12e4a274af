import type { Generator } from '@burin/tensor';
import { type BertConfig, bertConfig } from './bert-config.js';
import type { BertModel } from './bert-model.js';
import type { BertParts } from './bert-parts.js';
import type { RawConfig } from './config-reader.js';
import { PretrainedModel } from './pretrained-model.js';
import { rawConfigOf } from './raw-config.js';
import { type SaveOptions, savePretrained } from './save-pretrained.js';
import { randomWeights } from './weights.js';

/** Options of a BERT made in code: config.json's keys in camelCase. */
export type BertOptions = Partial<Omit<BertConfig, 'raw'>> &
  Pick<BertConfig, 'vocabSize' | 'hiddenSize' | 'intermediateSize' | 'numHiddenLayers' | 'numAttentionHeads'>;

/** What the BERT models with a head share: the encoder under its checkpoint name, and folders in and out. */
export abstract class BertWithHead extends PretrainedModel {
  readonly bert: BertModel;

  constructor(bert: BertModel) {
    super();
    this.bert = bert;
  }

  get config(): BertConfig {
    return this.bert.config;
  }

  get rawConfig(): RawConfig {
    return this.config.raw;
  }

  /** Writes a Hugging Face folder. See {@link savePretrained}. */
  savePretrained(folder: string, options?: SaveOptions) {
    return savePretrained(this, folder, options);
  }
}

/** What a new model with random weights is made of. @throws ConfigError that names an option */
export function newParts(options: BertOptions, rng: Generator, where: string): BertParts {
  const config = bertConfig(rawConfigOf('bert', options), where);
  return { config, weights: randomWeights(rng, config.initializerRange), rng };
}
