import { type ActivationName, activationNames } from '@burin/ffn';
import { ConfigReader, type RawConfig } from './config-reader.js';
import type { Family, FamilyConfig } from './family.js';
import { layerCount, numLabels, tokenIds } from './head-config.js';
import { rawConfigOf } from './raw-config.js';

/** A T5 encoder-decoder (Raffel et al. 2020, https://arxiv.org/abs/1910.10683). */
export interface T5Config extends FamilyConfig {
  readonly vocabSize: number;
  /** `d_model`: C. */
  readonly hiddenSize: number;
  /** `d_kv`: D. */
  readonly headDim: number;
  /** `d_ff`: F. */
  readonly intermediateSize: number;
  /** `num_layers`, of the encoder. */
  readonly numEncoderLayers: number;
  /** `num_decoder_layers`. */
  readonly numHiddenLayers: number;
  /** `num_heads`: H. */
  readonly numAttentionHeads: number;
  /** T5 has no bound: positions are distances. */
  readonly maxPositionEmbeddings: number;
  readonly relativeAttentionNumBuckets: number;
  readonly relativeAttentionMaxDistance: number;
  /** Of `feed_forward_proj`: what comes after `gated-`. */
  readonly activation: ActivationName;
  readonly gated: boolean;
  readonly dropoutRate: number;
  readonly layerNormEpsilon: number;
  readonly tieWordEmbeddings: boolean;
  /** The head reads states divided by √C, as it is tied to words of size 1; T5 1.1 has a head that needs no such factor. */
  readonly scaleDecoderOutputs: boolean;
  readonly padTokenId: number;
  readonly decoderStartTokenId: number;
  readonly forcedBosTokenId: number | null;
  /** Generation ends with any of these. */
  readonly eosTokenIds: readonly number[];
  /** Classes of a classification head. */
  readonly numLabels: number;
  /** In a classification head. */
  readonly classifierDropout: number;
}

/** Options of a T5 made in code: config.json's keys in camelCase. */
export interface T5Options {
  vocabSize: number;
  dModel: number;
  dKv: number;
  dFf: number;
  numLayers: number;
  /** Default `numLayers`. */
  numDecoderLayers?: number;
  numHeads: number;
  relativeAttentionNumBuckets?: number;
  relativeAttentionMaxDistance?: number;
  /** `'relu'` (default), `'gated-gelu'` as T5 1.1, `'gated-silu'`, or another activation. */
  feedForwardProj?: string;
  dropoutRate?: number;
  layerNormEpsilon?: number;
  /** Factor on new weights. Default 1. */
  initializerFactor?: number;
  tieWordEmbeddings?: boolean;
  /** Default `tieWordEmbeddings`. */
  scaleDecoderOutputs?: boolean;
  padTokenId?: number;
  eosTokenId?: number | number[];
  decoderStartTokenId?: number;
  numLabels?: number;
  classifierDropout?: number;
}

/**
 * Reads config.json of a T5.
 *
 * @param where - put before each message
 * @param kinds - what `is_encoder_decoder` may be: a head over the encoder alone is saved with false
 * @throws ConfigError that names the key
 */
export function t5Config(raw: unknown, where = 'config.json', kinds: readonly boolean[] = [true]): T5Config {
  const config = new ConfigReader(raw, where);
  config.expect('model_type', 't5');
  config.expect('is_encoder_decoder', ...kinds);
  const hiddenSize = config.integer('d_model', 512);
  const numEncoderLayers = layerCount(config, 'num_layers', 6);
  const padTokenId = config.integer('pad_token_id', 0, 0);
  const buckets = config.integer('relative_attention_num_buckets', 32, 4);
  const tieWordEmbeddings = config.boolean('tie_word_embeddings', true);
  return {
    vocabSize: config.integer('vocab_size', 32128),
    hiddenSize,
    headDim: config.integer('d_kv', 64),
    intermediateSize: config.integer('d_ff', 2048),
    numEncoderLayers,
    numHiddenLayers: layerCount(config, 'num_decoder_layers', numEncoderLayers),
    numAttentionHeads: config.integer('num_heads', 8),
    maxPositionEmbeddings: Infinity,
    relativeAttentionNumBuckets: buckets,
    relativeAttentionMaxDistance: config.integer('relative_attention_max_distance', 128, buckets / 2 + 1),
    ...feedForward(config),
    dropoutRate: config.probability('dropout_rate', 0.1),
    layerNormEpsilon: config.positive('layer_norm_epsilon', 1e-6),
    initializerRange: config.nonNegative('initializer_factor', 1) / Math.sqrt(hiddenSize),
    tieWordEmbeddings,
    scaleDecoderOutputs: config.boolean('scale_decoder_outputs', tieWordEmbeddings),
    padTokenId,
    decoderStartTokenId: config.integer('decoder_start_token_id', padTokenId, 0),
    forcedBosTokenId: config.integerOrNull('forced_bos_token_id'),
    eosTokenIds: tokenIds(config, 'eos_token_id', 1),
    numLabels: numLabels(config),
    classifierDropout: config.probability('classifier_dropout', 0),
    raw: config.raw,
  };
}

/** `relu`, or `gated-` and an activation; `gated-gelu` means the tanh form, as in T5's own code. */
function feedForward(config: ConfigReader): { activation: ActivationName; gated: boolean } {
  const gatedNames = activationNames.map((name) => `gated-${name}`);
  const name = config.choice('feed_forward_proj', [...activationNames, ...gatedNames], 'relu');
  const gated = name.startsWith('gated-');
  const activation = (name === 'gated-gelu' ? 'gelu_new' : name.replace('gated-', '')) as ActivationName;
  config.expect('dense_act_fn', activation);
  config.expect('is_gated_act', gated);
  return { activation, gated };
}

function weightCount(config: T5Config): number {
  const { hiddenSize: C, intermediateSize: F, numEncoderLayers, numHiddenLayers } = config;
  const attention = 4 * C * config.numAttentionHeads * config.headDim;
  const feedForward = (config.gated ? 3 : 2) * C * F;
  const blocks = numEncoderLayers * (attention + feedForward) + numHiddenLayers * (2 * attention + feedForward);
  return config.vocabSize * C * (config.tieWordEmbeddings ? 1 : 2) + blocks;
}

/**
 * transformers 5 writes of every T5 that its head is tied, and unties a head that the checkpoint has. Only those of T5 1.1
 * do, whose outputs are not scaled; elsewhere `lm_head.weight` is the table of words again.
 */
function untieOwnHead(raw: RawConfig, names: ReadonlyMap<string, unknown>): RawConfig {
  const hasOwnHead = raw.scale_decoder_outputs === false && names.has('lm_head.weight');
  return hasOwnHead ? { ...raw, tie_word_embeddings: false } : raw;
}

/** With the ids that T5 has where nobody says: transformers generates by those alone that are in the file. */
function rawConfig(options: T5Options): RawConfig {
  const padTokenId = options.padTokenId ?? 0;
  return rawConfigOf('t5', { decoderStartTokenId: padTokenId, eosTokenId: 1, padTokenId, ...options });
}

/** T5, 1.0 and 1.1. Older checkpoints hold a bias of cross attention that nothing reads. */
export const t5: Family<T5Config, T5Options> = {
  rawConfig,
  readConfig: (raw, where) => t5Config(raw, where),
  weightCount,
  ignored: /^(transformer\.)?decoder\.block\.0\.layer\.1\.EncDecAttention\.relative_attention_bias\.weight$/,
  amendConfig: untieOwnHead,
};

/** The same where heads stand on a body of its own: a checkpoint of the language model leaves its name out. */
export const t5Body: Family<T5Config, T5Options> = { ...t5, baseModel: 'transformer' };

/** The same of heads over the encoder alone, which transformers saves as what they are, and older files as the whole T5. */
export const t5Encoder: Family<T5Config, T5Options> = {
  ...t5Body,
  readConfig: (raw, where) => t5Config(raw, where, [true, false]),
};
