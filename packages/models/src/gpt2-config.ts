import { type ActivationName, activationNames } from '@burin/ffn';
import { ConfigReader } from './config-reader.js';
import type { Family, FamilyConfig } from './family.js';
import { classifierDropout, layerCount, numLabels, tokenIds } from './head-config.js';
import { rawConfigOf } from './raw-config.js';

/** A GPT-2 decoder (Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"). */
export interface Gpt2Config extends FamilyConfig {
  readonly vocabSize: number;
  /** `n_embd`: C. */
  readonly hiddenSize: number;
  /** `n_layer`. */
  readonly numHiddenLayers: number;
  /** `n_head`: H. */
  readonly numAttentionHeads: number;
  /** `n_inner`: F. */
  readonly intermediateSize: number;
  /** `n_positions`: texts have at most so many tokens. */
  readonly maxPositionEmbeddings: number;
  readonly activationFunction: ActivationName;
  readonly layerNormEpsilon: number;
  readonly embdPdrop: number;
  readonly attnPdrop: number;
  readonly residPdrop: number;
  /** Scores are divided by √D. */
  readonly scaleAttnWeights: boolean;
  /** Scores of layer i are divided by i + 1 too. */
  readonly scaleAttnByInverseLayerIdx: boolean;
  readonly tieWordEmbeddings: boolean;
  readonly padTokenId: number | null;
  /** Generation ends with any of these. */
  readonly eosTokenIds: readonly number[];
  /** Classes of a sequence classification head. */
  readonly numLabels: number;
  /** Before the head that classifies tokens. */
  readonly classifierDropout: number;
}

/** Options of a GPT-2 made in code: config.json's keys in camelCase. */
export interface Gpt2Options {
  vocabSize: number;
  nEmbd: number;
  nLayer: number;
  nHead: number;
  /** Default 4 · nEmbd. */
  nInner?: number;
  /** Default 1024. */
  nPositions?: number;
  activationFunction?: ActivationName;
  layerNormEpsilon?: number;
  embdPdrop?: number;
  attnPdrop?: number;
  residPdrop?: number;
  initializerRange?: number;
  scaleAttnWeights?: boolean;
  scaleAttnByInverseLayerIdx?: boolean;
  tieWordEmbeddings?: boolean;
  padTokenId?: number;
  bosTokenId?: number;
  eosTokenId?: number | number[];
  numLabels?: number;
}

/**
 * Reads config.json of a GPT-2.
 *
 * @param where - put before each message
 * @throws ConfigError that names the key
 */
export function gpt2Config(raw: unknown, where = 'config.json'): Gpt2Config {
  const config = new ConfigReader(raw, where);
  config.expect('model_type', 'gpt2');
  config.expect('add_cross_attention', false);
  const hiddenSize = config.integer('n_embd', 768);
  const heads = config.integer('n_head', 12);
  if (hiddenSize % heads !== 0) throw config.complaint('n_head', `a divisor of n_embd ${hiddenSize}`);
  return {
    vocabSize: config.integer('vocab_size', 50257),
    hiddenSize,
    numHiddenLayers: layerCount(config, 'n_layer', 12),
    numAttentionHeads: heads,
    intermediateSize: config.integerOrNull('n_inner', 1) ?? 4 * hiddenSize,
    maxPositionEmbeddings: config.integer('n_positions', 1024),
    activationFunction: config.choice('activation_function', activationNames, 'gelu_new'),
    layerNormEpsilon: config.positive('layer_norm_epsilon', 1e-5),
    embdPdrop: config.probability('embd_pdrop', 0.1),
    attnPdrop: config.probability('attn_pdrop', 0.1),
    residPdrop: config.probability('resid_pdrop', 0.1),
    scaleAttnWeights: config.boolean('scale_attn_weights', true),
    scaleAttnByInverseLayerIdx: config.boolean('scale_attn_by_inverse_layer_idx', false),
    tieWordEmbeddings: config.boolean('tie_word_embeddings', true),
    initializerRange: config.nonNegative('initializer_range', 0.02),
    padTokenId: config.integerOrNull('pad_token_id', -1),
    eosTokenIds: tokenIds(config, 'eos_token_id', 50256),
    numLabels: numLabels(config),
    classifierDropout: classifierDropout(config),
    raw: config.raw,
  };
}

function weightCount(config: Gpt2Config): number {
  const { hiddenSize: C, intermediateSize: F } = config;
  const layer = 4 * C * C + 2 * C * F + 9 * C + F;
  return (config.vocabSize + config.maxPositionEmbeddings + 2) * C + config.numHiddenLayers * layer;
}

/** GPT-2. Older checkpoints hold each layer's causal mask. */
export const gpt2: Family<Gpt2Config, Gpt2Options> = {
  rawConfig: (options) => rawConfigOf('gpt2', options),
  readConfig: gpt2Config,
  weightCount,
  baseModel: 'transformer',
  ignored: /\.attn\.(masked_)?bias$/,
};
