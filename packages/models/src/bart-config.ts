import { type ActivationName, activationNames } from '@burin/ffn';
import { ConfigReader } from './config-reader.js';
import type { Family, FamilyConfig } from './family.js';
import { layerCount, numLabels, tokenIds } from './head-config.js';
import { rawConfigOf } from './raw-config.js';

/** One side of a BART. */
export interface BartStackConfig {
  readonly layers: number;
  /** H. */
  readonly heads: number;
  /** F. */
  readonly hidden: number;
}

/** A BART encoder-decoder (Lewis et al. 2019, https://arxiv.org/abs/1910.13461). */
export interface BartConfig extends FamilyConfig {
  readonly vocabSize: number;
  /** `d_model`: C. */
  readonly hiddenSize: number;
  readonly encoder: BartStackConfig;
  readonly decoder: BartStackConfig;
  /** `decoder_layers`. */
  readonly numHiddenLayers: number;
  /** Texts have at most so many tokens, on each side. */
  readonly maxPositionEmbeddings: number;
  readonly activationFunction: ActivationName;
  readonly dropout: number;
  readonly attentionDropout: number;
  readonly activationDropout: number;
  /** Embeddings are multiplied by √C. */
  readonly scaleEmbedding: boolean;
  readonly tieWordEmbeddings: boolean;
  readonly padTokenId: number;
  readonly decoderStartTokenId: number;
  readonly forcedBosTokenId: number | null;
  /** What the last token is of a text that is as long as it may be. */
  readonly forcedEosTokenId: number | null;
  /** Generation ends with any of these. */
  readonly eosTokenIds: readonly number[];
  /** Classes of a classification head. */
  readonly numLabels: number;
  /** In a classification head. */
  readonly classifierDropout: number;
}

/** Options of a BART made in code: config.json's keys in camelCase. */
export interface BartOptions {
  vocabSize: number;
  dModel: number;
  encoderLayers: number;
  decoderLayers: number;
  encoderAttentionHeads: number;
  decoderAttentionHeads: number;
  encoderFfnDim: number;
  decoderFfnDim: number;
  maxPositionEmbeddings?: number;
  activationFunction?: ActivationName;
  dropout?: number;
  attentionDropout?: number;
  activationDropout?: number;
  /** Standard deviation of new weights. Default 0.02. */
  initStd?: number;
  scaleEmbedding?: boolean;
  tieWordEmbeddings?: boolean;
  padTokenId?: number;
  bosTokenId?: number;
  eosTokenId?: number | number[];
  decoderStartTokenId?: number;
  forcedBosTokenId?: number | null;
  forcedEosTokenId?: number | null;
  numLabels?: number;
  classifierDropout?: number;
}

/** What other members of the family have set, such as mBART; BART has not. */
const OTHERS = ['normalize_before', 'add_final_layer_norm', 'static_position_embeddings', 'add_bias_logits'];

/**
 * Reads config.json of a BART.
 *
 * @param where - put before each message
 * @throws ConfigError that names the key
 */
export function bartConfig(raw: unknown, where = 'config.json'): BartConfig {
  const config = new ConfigReader(raw, where);
  config.expect('model_type', 'bart');
  config.expect('is_encoder_decoder', true);
  config.expect('normalize_embedding', true);
  for (const key of [...OTHERS, 'encoder_layerdrop', 'decoder_layerdrop']) config.expect(key, false, 0);
  const hiddenSize = config.integer('d_model', 1024);
  const decoder = stack(config, 'decoder', hiddenSize);
  return {
    vocabSize: config.integer('vocab_size', 50265),
    hiddenSize,
    encoder: stack(config, 'encoder', hiddenSize),
    decoder,
    numHiddenLayers: decoder.layers,
    maxPositionEmbeddings: config.integer('max_position_embeddings', 1024),
    activationFunction: config.choice('activation_function', activationNames, 'gelu'),
    dropout: config.probability('dropout', 0.1),
    attentionDropout: config.probability('attention_dropout', 0),
    activationDropout: config.probability('activation_dropout', 0),
    initializerRange: config.nonNegative('init_std', 0.02),
    scaleEmbedding: config.boolean('scale_embedding', false),
    tieWordEmbeddings: config.boolean('tie_word_embeddings', true),
    padTokenId: config.integer('pad_token_id', 1, 0),
    decoderStartTokenId: config.integer('decoder_start_token_id', 2, 0),
    forcedBosTokenId: config.integerOrNull('forced_bos_token_id'),
    forcedEosTokenId: config.raw.forced_eos_token_id === undefined ? 2 : config.integerOrNull('forced_eos_token_id'),
    eosTokenIds: tokenIds(config, 'eos_token_id', 2),
    numLabels: numLabels(config, 3),
    classifierDropout: config.probability('classifier_dropout', 0),
    raw: config.raw,
  };
}

function stack(config: ConfigReader, side: 'encoder' | 'decoder', hiddenSize: number): BartStackConfig {
  const heads = config.integer(`${side}_attention_heads`, 16);
  if (hiddenSize % heads !== 0) {
    throw config.complaint(`${side}_attention_heads`, `a divisor of d_model ${hiddenSize}`);
  }
  return { layers: layerCount(config, `${side}_layers`, 12), heads, hidden: config.integer(`${side}_ffn_dim`, 4096) };
}

function weightCount({ hiddenSize: C, vocabSize, maxPositionEmbeddings, encoder, decoder }: BartConfig): number {
  const attention = 4 * (C * C + C);
  const feedForward = (F: number) => 2 * C * F + F + C;
  const encoderLayers = encoder.layers * (attention + feedForward(encoder.hidden) + 4 * C);
  const decoderLayers = decoder.layers * (2 * attention + feedForward(decoder.hidden) + 6 * C);
  return (vocabSize + 2 * maxPositionEmbeddings + 8) * C + encoderLayers + decoderLayers;
}

/** What BART has where nobody says: transformers generates by those alone that are in the file. */
const IDS = { bosTokenId: 0, padTokenId: 1, eosTokenId: 2, decoderStartTokenId: 2, forcedEosTokenId: 2 };

/** BART. */
export const bart: Family<BartConfig, BartOptions> = {
  rawConfig: (options) => rawConfigOf('bart', { ...IDS, ...options }),
  readConfig: bartConfig,
  weightCount,
  hasTensorsApart: ({ tieWordEmbeddings }) => !tieWordEmbeddings, // each side has words of its own
  baseModel: 'model',
};
