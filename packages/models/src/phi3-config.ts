import { type ActivationName, activationNames } from '@burin/ffn';
import { ConfigReader } from './config-reader.js';
import type { Family, FamilyConfig } from './family.js';
import { classifierDropout, layerCount, numLabels, tokenIds } from './head-config.js';
import { rawConfigOf, withPaddingOf } from './raw-config.js';
import { partialRopeConfig, type RopeConfig, stretchedLength } from './rope-config.js';

/** A Phi-3 decoder, by config.json's names (Abdin et al. 2024, https://arxiv.org/abs/2404.14219). */
export interface Phi3Config extends FamilyConfig, RopeConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly intermediateSize: number;
  readonly maxPositionEmbeddings: number;
  readonly hiddenAct: ActivationName;
  readonly rmsNormEps: number;
  /** Share of each head that turns with its position. */
  readonly partialRotaryFactor: number;
  /** The same in elements. */
  readonly rotaryDim: number;
  /** A query sees the keys less than this many positions back; null: all. */
  readonly slidingWindow: number | null;
  /** The same for each layer. */
  readonly slidingWindows: readonly (number | null)[];
  readonly attentionDropout: number;
  readonly tieWordEmbeddings: boolean;
  readonly padTokenId: number | null;
  /** Generation ends with any of these. */
  readonly eosTokenIds: readonly number[];
  /** Classes of a classification head. */
  readonly numLabels: number;
  /** Before the head that classifies tokens. */
  readonly classifierDropout: number;
}

/** Options of a Phi-3 made in code: config.json's keys in camelCase. */
export type Phi3Options = Partial<Omit<Phi3Config, 'raw' | 'eosTokenIds' | 'rotaryDim'>> &
  Pick<Phi3Config, 'vocabSize' | 'hiddenSize' | 'intermediateSize' | 'numHiddenLayers' | 'numAttentionHeads'> & {
    eosTokenId?: number | number[];
    /** Tokens of a text in training, where `longrope` stretches it. */
    originalMaxPositionEmbeddings?: number;
  };

/**
 * Reads config.json of a Phi-3.
 *
 * @param where - put before each message
 * @throws ConfigError that names the key
 */
export function phi3Config(raw: unknown, where = 'config.json'): Phi3Config {
  const config = new ConfigReader(raw, where);
  config.expect('model_type', 'phi3');
  for (const key of ['resid_pdrop', 'embd_pdrop']) config.expect(key, 0);
  const hiddenSize = config.integer('hidden_size', 3072);
  const heads = config.integer('num_attention_heads', 32);
  const kvHeads = config.integer('num_key_value_heads', heads);
  if (hiddenSize % (2 * heads) !== 0) {
    throw config.complaint('num_attention_heads', `such that hidden_size ${hiddenSize} is an even multiple of it`);
  }
  if (heads % kvHeads !== 0) throw config.complaint('num_key_value_heads', `a divisor of num_attention_heads ${heads}`);
  const keys = { theta: 'rope_theta', share: 'partial_rotary_factor', defaultShare: 1 };
  const { share: partialRotaryFactor, ...rope } = partialRopeConfig(config, hiddenSize / heads, keys);
  const numHiddenLayers = layerCount(config, 'num_hidden_layers', 32);
  const slidingWindow = config.integerOrNull('sliding_window', 1);
  return {
    vocabSize: config.integer('vocab_size', 32064),
    hiddenSize,
    numHiddenLayers,
    numAttentionHeads: heads,
    numKeyValueHeads: kvHeads,
    intermediateSize: config.integer('intermediate_size', 8192),
    maxPositionEmbeddings: stretchedLength(config.integer('max_position_embeddings', 4096), rope),
    hiddenAct: config.choice('hidden_act', activationNames, 'silu'),
    rmsNormEps: config.positive('rms_norm_eps', 1e-5),
    ...rope,
    partialRotaryFactor,
    slidingWindow,
    slidingWindows: new Array<number | null>(numHiddenLayers).fill(slidingWindow),
    attentionDropout: config.probability('attention_dropout', 0),
    initializerRange: config.nonNegative('initializer_range', 0.02),
    tieWordEmbeddings: config.boolean('tie_word_embeddings', false),
    padTokenId: config.integerOrNull('pad_token_id', -1),
    eosTokenIds: tokenIds(config, 'eos_token_id', 32000),
    numLabels: numLabels(config),
    classifierDropout: classifierDropout(config),
    raw: config.raw,
  };
}

function weightCount(config: Phi3Config): number {
  const { hiddenSize: C, intermediateSize: F, vocabSize, numHiddenLayers } = config;
  const kvWidth = (C / config.numAttentionHeads) * config.numKeyValueHeads;
  return vocabSize * C + numHiddenLayers * (2 * C * C + 2 * C * kvWidth + 3 * C * F + 2 * C) + C;
}

/** Phi-3. */
export const phi3: Family<Phi3Config, Phi3Options> = {
  rawConfig: (options) => withPaddingOf(rawConfigOf('phi3', options), 32000),
  readConfig: phi3Config,
  weightCount,
  baseModel: 'model',
};
