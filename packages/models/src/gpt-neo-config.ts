import { type ActivationName, activationNames } from '@burin/ffn';
import { ConfigReader, type RawConfig } from './config-reader.js';
import type { Family, FamilyConfig } from './family.js';
import { classifierDropout, layerCount, numLabels, tokenIds } from './head-config.js';
import { rawConfigOf } from './raw-config.js';

/** How far a layer of GPT-Neo sees. */
export type GPTNeoAttentionType = 'global' | 'local';

/** A GPT-Neo decoder (Black et al. 2021, https://doi.org/10.5281/zenodo.5297715), by config.json's names. */
export interface GPTNeoConfig extends FamilyConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** `num_layers`. */
  readonly numHiddenLayers: number;
  /** `num_heads`: H. */
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly maxPositionEmbeddings: number;
  readonly activationFunction: ActivationName;
  readonly layerNormEpsilon: number;
  /** One a layer; a local one sees keys less than `windowSize` positions back. */
  readonly attentionLayers: readonly GPTNeoAttentionType[];
  readonly windowSize: number;
  /** How far each layer sees back; null: everything. */
  readonly slidingWindows: readonly (number | null)[];
  readonly embedDropout: number;
  readonly attentionDropout: number;
  readonly residDropout: number;
  readonly tieWordEmbeddings: boolean;
  /** Generation ends with any of these. */
  readonly eosTokenIds: readonly number[];
  /** Classes of a classification head. */
  readonly numLabels: number;
  /** Before the head that classifies tokens. */
  readonly classifierDropout: number;
}

/** Options of a GPT-Neo made in code: config.json's keys in camelCase. */
export interface GPTNeoOptions {
  vocabSize: number;
  hiddenSize: number;
  numLayers: number;
  numHeads: number;
  /** Default 4 · hiddenSize. */
  intermediateSize?: number;
  maxPositionEmbeddings?: number;
  activationFunction?: ActivationName;
  layerNormEpsilon?: number;
  /** Default: global and local by turns. */
  attentionLayers?: readonly GPTNeoAttentionType[];
  windowSize?: number;
  embedDropout?: number;
  attentionDropout?: number;
  residDropout?: number;
  initializerRange?: number;
  tieWordEmbeddings?: boolean;
  eosTokenId?: number | number[];
  numLabels?: number;
  classifierDropout?: number;
}

/**
 * Reads config.json of a GPT-Neo.
 *
 * @param where - put before each message
 * @throws ConfigError that names the key
 */
export function gptNeoConfig(raw: unknown, where = 'config.json'): GPTNeoConfig {
  const config = new ConfigReader(raw, where);
  config.expect('model_type', 'gpt_neo');
  const hiddenSize = config.integer('hidden_size', 2048);
  const heads = config.integer('num_heads', 16);
  if (hiddenSize % heads !== 0) throw config.complaint('num_heads', `a divisor of hidden_size ${hiddenSize}`);
  const numHiddenLayers = layerCount(config, 'num_layers', 24);
  const layers = attentionLayers(config, numHiddenLayers);
  const windowSize = config.integer('window_size', 256);
  return {
    vocabSize: config.integer('vocab_size', 50257),
    hiddenSize,
    numHiddenLayers,
    numAttentionHeads: heads,
    intermediateSize: config.integerOrNull('intermediate_size', 1) ?? 4 * hiddenSize,
    maxPositionEmbeddings: config.integer('max_position_embeddings', 2048),
    activationFunction: config.choice('activation_function', activationNames, 'gelu_new'),
    layerNormEpsilon: config.positive('layer_norm_epsilon', 1e-5),
    attentionLayers: layers,
    windowSize,
    slidingWindows: layers.map((type) => (type === 'local' ? windowSize : null)),
    embedDropout: config.probability('embed_dropout', 0),
    attentionDropout: config.probability('attention_dropout', 0),
    residDropout: config.probability('resid_dropout', 0),
    initializerRange: config.nonNegative('initializer_range', 0.02),
    tieWordEmbeddings: config.boolean('tie_word_embeddings', true),
    eosTokenIds: tokenIds(config, 'eos_token_id', 50256),
    numLabels: numLabels(config),
    classifierDropout: classifierDropout(config),
    raw: config.raw,
  };
}

/** `attention_layers`, or `attention_types`: pairs of a list of types and how often it comes. */
function attentionLayers(config: ConfigReader, layers: number): GPTNeoAttentionType[] {
  const key = config.has('attention_layers') ? 'attention_layers' : 'attention_types';
  const given = config.raw[key] ?? [[['global', 'local'], Math.ceil(layers / 2)]];
  const types = key === 'attention_layers' ? given : repeated(given);
  const known = (type: unknown): type is GPTNeoAttentionType => type === 'global' || type === 'local';
  if (Array.isArray(types) && types.length >= layers && types.every(known)) {
    if (types.length === layers || !config.has(key)) return types.slice(0, layers);
  }
  throw config.complaint(key, `'global' or 'local' for each of the ${layers} layers`);
}

function repeated(given: unknown): unknown {
  if (!Array.isArray(given)) return null;
  return given.flatMap((pair: unknown) => {
    const [types, times] = Array.isArray(pair) ? pair : [];
    const fits = Array.isArray(types) && Number.isInteger(times) && times >= 0 && times <= 10_000;
    return fits ? Array.from({ length: times as number }, () => types as unknown[]).flat() : [null];
  });
}

function weightCount(config: GPTNeoConfig): number {
  const { hiddenSize: C, intermediateSize: F } = config;
  const layer = 4 * C * C + 2 * C * F + 6 * C + F;
  return (config.vocabSize + config.maxPositionEmbeddings + 2) * C + config.numHiddenLayers * layer;
}

/** With `attention_types`, by which transformers counts layers: what it takes where there are none is of 24. */
function rawConfig(options: GPTNeoOptions): RawConfig {
  const { attentionLayers, numLayers } = options;
  const byTurns = [
    [['global', 'local'], Math.floor(numLayers / 2)],
    [['global'], numLayers % 2],
  ];
  return rawConfigOf('gpt_neo', { attentionTypes: attentionLayers ? [[attentionLayers, 1]] : byTurns, ...options });
}

/** GPT-Neo. Older checkpoints hold each layer's causal mask. */
export const gptNeo: Family<GPTNeoConfig, GPTNeoOptions> = {
  rawConfig,
  readConfig: gptNeoConfig,
  weightCount,
  baseModel: 'transformer',
  ignored: /\.attn\.attention\.(masked_)?bias$/,
};
