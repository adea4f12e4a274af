import { type ActivationName, activationNames } from '@burin/ffn';
import { ConfigReader } from './config-reader.js';
import type { Family, FamilyConfig } from './family.js';
import { layerCount, numLabels } from './head-config.js';
import { type LayerType, layerTypes } from './layer-types.js';
import { rawConfigOf, withPaddingOf } from './raw-config.js';
import { type RopeConfig, ropeScaling } from './rope-config.js';

/** What a layer sees: all tokens, or those near it. */
export type ModernBertAttentionType = LayerType;

/** A ModernBERT encoder, by config.json's names (Warner et al. 2024, https://arxiv.org/abs/2412.13663). */
export interface ModernBertConfig extends FamilyConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly maxPositionEmbeddings: number;
  readonly hiddenActivation: ActivationName;
  readonly normEps: number;
  readonly normBias: boolean;
  readonly attentionBias: boolean;
  readonly attentionDropout: number;
  readonly embeddingDropout: number;
  readonly mlpBias: boolean;
  readonly mlpDropout: number;
  /** One a layer: by `layer_types`, or every so many layers is a global one. */
  readonly layerTypes: readonly ModernBertAttentionType[];
  /** Tokens that a local layer sees: half of them on each side. */
  readonly localAttention: number;
  /** How positions turn in each kind of layer. */
  readonly rope: Readonly<Record<ModernBertAttentionType, RopeConfig>>;
  /** Bias of the masked-language-model head's last layer. */
  readonly decoderBias: boolean;
  readonly classifierPooling: 'cls' | 'mean';
  readonly classifierDropout: number;
  readonly classifierBias: boolean;
  readonly classifierActivation: ActivationName;
  readonly tieWordEmbeddings: boolean;
  readonly padTokenId: number | null;
  /** Classes of a classification head. */
  readonly numLabels: number;
}

/** Options of a ModernBERT made in code: config.json's keys in camelCase. */
export type ModernBertOptions = Partial<Omit<ModernBertConfig, 'raw' | 'rope' | 'numHiddenLayers'>> &
  Pick<ModernBertConfig, 'vocabSize' | 'hiddenSize' | 'intermediateSize' | 'numHiddenLayers' | 'numAttentionHeads'> & {
    /** Every so many layers is a global one, from the first on. Default 3. */
    globalAttnEveryNLayers?: number;
    /** Base of the wavelengths of global layers. Default 160000. */
    globalRopeTheta?: number;
    /** Base of the wavelengths of local layers. Default 10000. */
    localRopeTheta?: number;
  };

const OLDER_THETA = {
  full_attention: { key: 'global_rope_theta', fallback: 160_000 },
  sliding_attention: { key: 'local_rope_theta', fallback: 10_000 },
} as const satisfies Record<ModernBertAttentionType, object>;

/**
 * Reads config.json of a ModernBERT.
 *
 * @param where - put before each message
 * @throws ConfigError that names the key
 */
export function modernBertConfig(raw: unknown, where = 'config.json'): ModernBertConfig {
  const config = new ConfigReader(raw, where);
  config.expect('model_type', 'modernbert');
  const hiddenSize = config.integer('hidden_size', 768);
  const heads = config.integer('num_attention_heads', 12);
  if (hiddenSize % (2 * heads) !== 0) {
    throw config.complaint('num_attention_heads', `such that hidden_size ${hiddenSize} is an even multiple of it`);
  }
  const numHiddenLayers = layerCount(config, 'num_hidden_layers', 22);
  return {
    vocabSize: config.integer('vocab_size', 50368),
    hiddenSize,
    intermediateSize: config.integer('intermediate_size', 1152),
    numHiddenLayers,
    numAttentionHeads: heads,
    maxPositionEmbeddings: config.integer('max_position_embeddings', 8192),
    hiddenActivation: config.choice('hidden_activation', activationNames, 'gelu'),
    normEps: config.positive('norm_eps', 1e-5),
    normBias: config.boolean('norm_bias', false),
    attentionBias: config.boolean('attention_bias', false),
    attentionDropout: config.probability('attention_dropout', 0),
    embeddingDropout: config.probability('embedding_dropout', 0),
    mlpBias: config.boolean('mlp_bias', false),
    mlpDropout: config.probability('mlp_dropout', 0),
    layerTypes: attentionTypes(config, numHiddenLayers),
    localAttention: config.integer('local_attention', 128),
    rope: ropeOfKinds(config, hiddenSize / heads),
    initializerRange: config.nonNegative('initializer_range', 0.02),
    ...headConfig(config),
    tieWordEmbeddings: config.boolean('tie_word_embeddings', true),
    padTokenId: config.raw.pad_token_id === undefined ? 50283 : config.integerOrNull('pad_token_id'),
    raw: config.raw,
  };
}

function headConfig(config: ConfigReader) {
  return {
    decoderBias: config.boolean('decoder_bias', true),
    classifierPooling: config.choice('classifier_pooling', ['cls', 'mean'] as const, 'cls'),
    classifierDropout: config.probability('classifier_dropout', 0),
    classifierBias: config.boolean('classifier_bias', false),
    classifierActivation: config.choice('classifier_activation', activationNames, 'gelu'),
    numLabels: numLabels(config),
  };
}

function attentionTypes(config: ConfigReader, layers: number): readonly ModernBertAttentionType[] {
  const every = config.integer('global_attn_every_n_layers', 3);
  const byTurns = (_: unknown, i: number) => (i % every === 0 ? 'full_attention' : 'sliding_attention');
  return layerTypes(config, layers) ?? Array.from({ length: layers }, byTurns);
}

/** `rope_parameters` by kind of layer, as transformers 5 writes it; before, a key each for the base, and one scaling. */
function ropeOfKinds(config: ConfigReader, headDim: number): Record<ModernBertAttentionType, RopeConfig> {
  const ropeOf = (kind: ModernBertAttentionType): RopeConfig => {
    const theta = olderTheta(config, kind);
    const rope = ropeReaderOf(config, kind);
    if (!rope) return { ropeTheta: theta, ropeScaling: null };
    return { ropeTheta: rope.positive('rope_theta', theta), ropeScaling: ropeScaling(rope, config, headDim) };
  };
  return { full_attention: ropeOf('full_attention'), sliding_attention: ropeOf('sliding_attention') };
}

/** A local base of null is the global one. */
function olderTheta(config: ConfigReader, kind: ModernBertAttentionType): number {
  const same = kind === 'sliding_attention' && config.raw.local_rope_theta === null;
  const { key, fallback } = OLDER_THETA[same ? 'full_attention' : kind];
  return config.positive(key, fallback);
}

function ropeReaderOf(config: ConfigReader, kind: ModernBertAttentionType): ConfigReader | null {
  if (config.has('rope_parameters')) {
    const both = new ConfigReader(config.raw.rope_parameters, `${config.where}: rope_parameters`);
    return both.has(kind) ? new ConfigReader(both.raw[kind], `${both.where}: ${kind}`) : null;
  }
  return config.has('rope_scaling') ? new ConfigReader(config.raw.rope_scaling, `${config.where}: rope_scaling`) : null;
}

function weightCount(config: ModernBertConfig): number {
  const { hiddenSize: C, intermediateSize: F, numHiddenLayers } = config;
  return config.vocabSize * C + numHiddenLayers * (4 * C * C + 3 * C * F + 2 * C) + C;
}

/** ModernBERT. */
export const modernBert: Family<ModernBertConfig, ModernBertOptions> = {
  rawConfig: (options) => withPaddingOf(rawConfigOf('modernbert', options), 50283),
  readConfig: modernBertConfig,
  weightCount,
  baseModel: 'model',
};
