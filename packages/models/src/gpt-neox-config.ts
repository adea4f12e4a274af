import { type ActivationName, activationNames } from '@burin/ffn';
import type { RotaryScaling } from '@burin/nn';
import { ConfigReader } from './config-reader.js';
import type { Family, FamilyConfig } from './family.js';
import { classifierDropout, layerCount, numLabels, tokenIds } from './head-config.js';
import { rawConfigOf } from './raw-config.js';
import { partialRopeConfig, stretchedLength } from './rope-config.js';

/** A GPT-NeoX decoder, such as Pythia (Black et al. 2022, https://arxiv.org/abs/2204.06745), by config.json's names. */
export interface GPTNeoXConfig extends FamilyConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly maxPositionEmbeddings: number;
  readonly hiddenAct: ActivationName;
  readonly layerNormEps: number;
  /** Share of each head that turns with its position. */
  readonly rotaryPct: number;
  /** The same in elements. */
  readonly rotaryDim: number;
  /** Base of the wavelengths. */
  readonly rotaryEmbBase: number;
  readonly ropeScaling: RotaryScaling | null;
  /** Attention and feed-forward read the same states, and are added together. */
  readonly useParallelResidual: boolean;
  readonly attentionBias: boolean;
  readonly attentionDropout: number;
  readonly hiddenDropout: number;
  readonly tieWordEmbeddings: boolean;
  /** Generation ends with any of these. */
  readonly eosTokenIds: readonly number[];
  /** Classes of a classification head. */
  readonly numLabels: number;
  /** Before the head that classifies tokens. */
  readonly classifierDropout: number;
}

/** Options of a GPT-NeoX made in code: config.json's keys in camelCase. */
export type GPTNeoXOptions = Partial<Omit<GPTNeoXConfig, 'raw' | 'eosTokenIds' | 'rotaryDim'>> &
  Pick<GPTNeoXConfig, 'vocabSize' | 'hiddenSize' | 'intermediateSize' | 'numHiddenLayers' | 'numAttentionHeads'> & {
    eosTokenId?: number | number[];
  };

/**
 * Reads config.json of a GPT-NeoX.
 *
 * @param where - put before each message
 * @throws ConfigError that names the key
 */
export function gptNeoXConfig(raw: unknown, where = 'config.json'): GPTNeoXConfig {
  const config = new ConfigReader(raw, where);
  config.expect('model_type', 'gpt_neox');
  const hiddenSize = config.integer('hidden_size', 6144);
  const heads = config.integer('num_attention_heads', 64);
  if (hiddenSize % heads !== 0) throw config.complaint('num_attention_heads', `a divisor of hidden_size ${hiddenSize}`);
  const keys = { theta: 'rotary_emb_base', share: 'rotary_pct', defaultShare: 0.25 };
  const rope = partialRopeConfig(config, hiddenSize / heads, keys);
  return {
    vocabSize: config.integer('vocab_size', 50432),
    hiddenSize,
    numHiddenLayers: layerCount(config, 'num_hidden_layers', 44),
    numAttentionHeads: heads,
    intermediateSize: config.integer('intermediate_size', 24576),
    maxPositionEmbeddings: stretchedLength(config.integer('max_position_embeddings', 2048), rope),
    hiddenAct: config.choice('hidden_act', activationNames, 'gelu'),
    layerNormEps: config.positive('layer_norm_eps', 1e-5),
    rotaryPct: rope.share,
    rotaryDim: rope.rotaryDim,
    rotaryEmbBase: rope.ropeTheta,
    ropeScaling: rope.ropeScaling,
    useParallelResidual: config.boolean('use_parallel_residual', true),
    attentionBias: config.boolean('attention_bias', true),
    attentionDropout: config.probability('attention_dropout', 0),
    hiddenDropout: config.probability('hidden_dropout', 0),
    initializerRange: config.nonNegative('initializer_range', 0.02),
    tieWordEmbeddings: config.boolean('tie_word_embeddings', false),
    eosTokenIds: tokenIds(config, 'eos_token_id', 2),
    numLabels: numLabels(config),
    classifierDropout: classifierDropout(config),
    raw: config.raw,
  };
}

function weightCount(config: GPTNeoXConfig): number {
  const { hiddenSize: C, intermediateSize: F, vocabSize, numHiddenLayers } = config;
  return vocabSize * C + numHiddenLayers * (4 * C * C + 2 * C * F + 9 * C + F) + 2 * C;
}

/** GPT-NeoX and Pythia. Older checkpoints hold each layer's causal mask. */
export const gptNeoX: Family<GPTNeoXConfig, GPTNeoXOptions> = {
  rawConfig: (options) => rawConfigOf('gpt_neox', options),
  readConfig: gptNeoXConfig,
  weightCount,
  baseModel: 'gpt_neox',
  ignored: /\.attention\.(masked_)?bias$/,
};
