import { type ActivationName, activationNames } from '@burin/ffn';
import { ConfigReader } from './config-reader.js';
import type { Family, FamilyConfig } from './family.js';
import { layerCount, tokenIds } from './head-config.js';
import { rawConfigOf } from './raw-config.js';

/** The first Transformer (Vaswani et al. 2017, https://arxiv.org/abs/1706.03762), as PyTorch's `nn.Transformer` has it. */
export interface TransformerConfig extends FamilyConfig {
  /** `src_vocab`: ids of the source are below this. */
  readonly sourceVocabSize: number;
  /** `tgt_vocab`: V. */
  readonly vocabSize: number;
  /** `d_model`: C. */
  readonly hiddenSize: number;
  /** `n_heads`: H. */
  readonly numAttentionHeads: number;
  /** `n_encoder_layers`. */
  readonly numEncoderLayers: number;
  /** `n_decoder_layers`. */
  readonly numHiddenLayers: number;
  /** `d_ff`: F. */
  readonly intermediateSize: number;
  readonly activation: ActivationName;
  readonly layerNormEps: number;
  /** Norms come before attention and feed-forward, not after. */
  readonly normFirst: boolean;
  /** A norm after each stack, which PyTorch adds to the paper's. */
  readonly finalNorms: boolean;
  readonly dropout: number;
  /** Positions are computed: there is no bound. */
  readonly maxPositionEmbeddings: number;
  readonly padTokenId: number;
  readonly decoderStartTokenId: number;
  readonly forcedBosTokenId: null;
  /** Generation ends with any of these. */
  readonly eosTokenIds: readonly number[];
}

/** Options of a Transformer made in code: config.json's keys in camelCase. */
export interface TransformerOptions {
  srcVocab: number;
  tgtVocab: number;
  dModel: number;
  nHeads: number;
  nEncoderLayers: number;
  nDecoderLayers: number;
  dFf: number;
  activation?: ActivationName;
  layerNormEps?: number;
  normFirst?: boolean;
  finalNorms?: boolean;
  /** Default 0.1. */
  dropout?: number;
  initializerRange?: number;
  padTokenId?: number;
  bosTokenId?: number;
  eosTokenId?: number | number[];
}

/**
 * Reads the configuration of a Transformer.
 *
 * @param where - put before each message
 * @throws ConfigError that names the key
 */
export function transformerConfig(raw: unknown, where = 'config.json'): TransformerConfig {
  const config = new ConfigReader(raw, where);
  const hiddenSize = config.integer('d_model');
  const heads = config.integer('n_heads');
  if (hiddenSize % heads !== 0) throw config.complaint('n_heads', `a divisor of d_model ${hiddenSize}`);
  if (hiddenSize % 2 !== 0) throw config.complaint('d_model', 'an even number, as sines and cosines take turns');
  return {
    sourceVocabSize: config.integer('src_vocab'),
    vocabSize: config.integer('tgt_vocab'),
    hiddenSize,
    numAttentionHeads: heads,
    numEncoderLayers: layerCount(config, 'n_encoder_layers'),
    numHiddenLayers: layerCount(config, 'n_decoder_layers'),
    intermediateSize: config.integer('d_ff'),
    activation: config.choice('activation', activationNames, 'relu'),
    layerNormEps: config.positive('layer_norm_eps', 1e-5),
    normFirst: config.boolean('norm_first', false),
    finalNorms: config.boolean('final_norms', true),
    dropout: config.probability('dropout', 0.1),
    initializerRange: config.nonNegative('initializer_range', hiddenSize ** -0.5),
    maxPositionEmbeddings: Infinity,
    padTokenId: config.integer('pad_token_id', 0, 0),
    decoderStartTokenId: config.integer('bos_token_id', 1, 0),
    forcedBosTokenId: null,
    eosTokenIds: tokenIds(config, 'eos_token_id', 2),
    raw: config.raw,
  };
}

function weightCount(config: TransformerConfig): number {
  const { hiddenSize: C, intermediateSize: F, sourceVocabSize, vocabSize, numEncoderLayers, numHiddenLayers } = config;
  const [attention, feedForward] = [4 * C * (C + 1), 2 * C * F + C + F];
  const layers = numEncoderLayers * (attention + feedForward) + numHiddenLayers * (2 * attention + feedForward);
  return (sourceVocabSize + 2 * vocabSize) * C + layers;
}

/** The Transformer of 2017. */
export const transformer: Family<TransformerConfig, TransformerOptions> = {
  rawConfig: (options) => rawConfigOf('transformer', options),
  readConfig: transformerConfig,
  weightCount,
};
