import { type ActivationName, activationNames } from '@burin/ffn';
import { ConfigReader } from './config-reader.js';
import type { Family, FamilyConfig } from './family.js';
import { layerCount, numLabels } from './head-config.js';
import { rawConfigOf } from './raw-config.js';

/** A DistilBERT encoder (Sanh et al. 2019, https://arxiv.org/abs/1910.01108). */
export interface DistilBertConfig extends FamilyConfig {
  readonly vocabSize: number;
  /** `dim`: C. */
  readonly hiddenSize: number;
  /** `n_layers`. */
  readonly numHiddenLayers: number;
  /** `n_heads`: H. */
  readonly numAttentionHeads: number;
  /** `hidden_dim`: F. */
  readonly intermediateSize: number;
  readonly maxPositionEmbeddings: number;
  readonly activation: ActivationName;
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly qaDropout: number;
  readonly seqClassifDropout: number;
  readonly padTokenId: number;
  readonly tieWordEmbeddings: boolean;
  readonly numLabels: number;
}

/** Options of a DistilBERT made in code: config.json's keys in camelCase. */
export interface DistilBertOptions
  extends Partial<
    Pick<
      DistilBertConfig,
      | 'maxPositionEmbeddings'
      | 'activation'
      | 'dropout'
      | 'attentionDropout'
      | 'qaDropout'
      | 'seqClassifDropout'
      | 'padTokenId'
      | 'tieWordEmbeddings'
      | 'initializerRange'
      | 'numLabels'
    >
  > {
  vocabSize: number;
  dim: number;
  nLayers: number;
  nHeads: number;
  hiddenDim: number;
}

/**
 * Reads config.json of a DistilBERT.
 *
 * @param where - put before each message
 * @throws ConfigError that names the key
 */
export function distilBertConfig(raw: unknown, where = 'config.json'): DistilBertConfig {
  const config = new ConfigReader(raw, where);
  config.expect('model_type', 'distilbert');
  const hiddenSize = config.integer('dim', 768);
  const heads = config.integer('n_heads', 12);
  if (hiddenSize % heads !== 0) throw config.complaint('n_heads', `a divisor of dim ${hiddenSize}`);
  return {
    vocabSize: config.integer('vocab_size', 30522),
    hiddenSize,
    numHiddenLayers: layerCount(config, 'n_layers', 6),
    numAttentionHeads: heads,
    intermediateSize: config.integer('hidden_dim', 4 * 768),
    maxPositionEmbeddings: config.integer('max_position_embeddings', 512),
    activation: config.choice('activation', activationNames, 'gelu'),
    dropout: config.probability('dropout', 0.1),
    attentionDropout: config.probability('attention_dropout', 0.1),
    qaDropout: config.probability('qa_dropout', 0.1),
    seqClassifDropout: config.probability('seq_classif_dropout', 0.2),
    initializerRange: config.nonNegative('initializer_range', 0.02),
    padTokenId: config.integer('pad_token_id', 0, 0),
    tieWordEmbeddings: config.boolean('tie_word_embeddings', true),
    numLabels: numLabels(config),
    raw: config.raw,
  };
}

function weightCount(config: DistilBertConfig): number {
  const { hiddenSize: C, intermediateSize: F } = config;
  const tables = (config.vocabSize + config.maxPositionEmbeddings + 2) * C;
  return tables + config.numHiddenLayers * (4 * C * C + 2 * C * F + 9 * C + F);
}

/** DistilBERT. */
export const distilbert: Family<DistilBertConfig, DistilBertOptions> = {
  rawConfig: (options) => rawConfigOf('distilbert', options),
  readConfig: distilBertConfig,
  weightCount,
  baseModel: 'distilbert',
};
