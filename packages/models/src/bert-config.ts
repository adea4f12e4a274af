import { type ActivationName, activationNames } from '@burin/ffn';
import { ConfigReader } from './config-reader.js';
import type { Family, FamilyConfig } from './family.js';
import { layerCount, numLabels } from './head-config.js';
import { rawConfigOf } from './raw-config.js';

/** What the encoders that share BERT's layers call themselves in `model_type`. */
export type BertModelType = 'bert' | 'roberta';

/**
 * A BERT or RoBERTa encoder, by config.json's names.
 *
 * @see Devlin et al. 2019, https://arxiv.org/abs/1810.04805; Liu et al. 2019, https://arxiv.org/abs/1907.11692
 */
export interface BertConfig extends FamilyConfig {
  readonly modelType: BertModelType;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: ActivationName;
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  /** Before the classification head. */
  readonly classifierDropout: number;
  readonly maxPositionEmbeddings: number;
  /** Row of the position table that the first token of a text takes: RoBERTa's follow `padTokenId`. */
  readonly firstPosition: number;
  readonly typeVocabSize: number;
  readonly layerNormEps: number;
  readonly padTokenId: number;
  readonly tieWordEmbeddings: boolean;
  /** Classes of a sequence classification head. */
  readonly numLabels: number;
}

/** Options of a BERT or RoBERTa made in code: config.json's keys in camelCase. */
export type BertOptions = Partial<Omit<BertConfig, 'raw' | 'modelType' | 'firstPosition'>> &
  Pick<BertConfig, 'vocabSize' | 'hiddenSize' | 'intermediateSize' | 'numHiddenLayers' | 'numAttentionHeads'>;

/**
 * Reads config.json of a BERT, or of a RoBERTa.
 *
 * @param where - put before each message
 * @throws ConfigError that names the key
 */
export function bertConfig(raw: unknown, where = 'config.json', modelType: BertModelType = 'bert'): BertConfig {
  const config = new ConfigReader(raw, where);
  config.expect('model_type', modelType);
  config.expect('position_embedding_type', 'absolute');
  config.expect('is_decoder', false);
  config.expect('add_cross_attention', false);
  const hiddenSize = config.integer('hidden_size');
  const heads = config.integer('num_attention_heads');
  if (hiddenSize % heads !== 0) throw config.complaint('num_attention_heads', `a divisor of hidden_size ${hiddenSize}`);
  const hiddenDropoutProb = config.probability('hidden_dropout_prob', 0.1);
  const padTokenId = config.integer('pad_token_id', modelType === 'roberta' ? 1 : 0, 0);
  return {
    modelType,
    vocabSize: config.integer('vocab_size'),
    hiddenSize,
    numHiddenLayers: layerCount(config, 'num_hidden_layers'),
    numAttentionHeads: heads,
    intermediateSize: config.integer('intermediate_size'),
    hiddenAct: config.choice('hidden_act', activationNames, 'gelu'),
    hiddenDropoutProb,
    attentionProbsDropoutProb: config.probability('attention_probs_dropout_prob', 0.1),
    classifierDropout: config.probability('classifier_dropout', hiddenDropoutProb),
    maxPositionEmbeddings: config.integer('max_position_embeddings', 512),
    typeVocabSize: config.integer('type_vocab_size', 2),
    layerNormEps: config.positive('layer_norm_eps', 1e-12),
    initializerRange: config.nonNegative('initializer_range', 0.02),
    padTokenId,
    firstPosition: modelType === 'roberta' ? padTokenId + 1 : 0,
    tieWordEmbeddings: config.boolean('tie_word_embeddings', true),
    numLabels: numLabels(config),
    raw: config.raw,
  };
}

/** How many numbers the weights of such an encoder are, without pooler and head. */
function bertWeightCount(config: BertConfig): number {
  const { hiddenSize: C, intermediateSize: F } = config;
  const tables = (config.vocabSize + config.maxPositionEmbeddings + config.typeVocabSize + 2) * C;
  return tables + config.numHiddenLayers * (4 * C * C + 2 * C * F + 9 * C + F);
}

/** The bias of the head's last layer is then another tensor than that of the head. */
const isUntied = ({ tieWordEmbeddings }: BertConfig) => !tieWordEmbeddings;

/** BERT. */
export const bert: Family<BertConfig, BertOptions> = {
  rawConfig: (options) => rawConfigOf('bert', options),
  readConfig: (raw, where) => bertConfig(raw, where),
  weightCount: bertWeightCount,
  hasTensorsApart: isUntied,
  baseModel: 'bert',
};

/** RoBERTa: BERT's layers, trained longer, with positions that follow the padding id. */
export const roberta: Family<BertConfig, BertOptions> = {
  rawConfig: (options) => rawConfigOf('roberta', options),
  readConfig: (raw, where) => bertConfig(raw, where, 'roberta'),
  weightCount: bertWeightCount,
  hasTensorsApart: isUntied,
  baseModel: 'roberta',
};
