import { type ActivationName, activationNames, type RoutingOptions } from '@burin/ffn';
import { ConfigReader } from './config-reader.js';
import type { Family, FamilyConfig } from './family.js';
import { layerCount, numLabels, tokenIds } from './head-config.js';
import { rawConfigOf } from './raw-config.js';
import { type RopeConfig, ropeConfig, ropeReader, stretchedLength, yarnMagnitude } from './rope-config.js';

/** A DeepSeek-V2 decoder, by config.json's names (DeepSeek-AI 2024, https://arxiv.org/abs/2405.04434). */
export interface DeepseekV2Config extends FamilyConfig, RopeConfig {
  readonly vocabSize: number;
  readonly hiddenSize: number;
  /** F of the first, dense layers. */
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly maxPositionEmbeddings: number;
  readonly hiddenAct: ActivationName;
  readonly rmsNormEps: number;
  readonly attentionBias: boolean;
  readonly attentionDropout: number;
  /** Width of the latent that queries go through; null: they do not. */
  readonly qLoraRank: number | null;
  /** Width of the latent that keys and values are made of. */
  readonly kvLoraRank: number;
  /** Elements of a head that do not turn. */
  readonly qkNopeHeadDim: number;
  /** Elements of a head that turn. */
  readonly qkRopeHeadDim: number;
  readonly vHeadDim: number;
  /** Factor on the scores: 1 / √D, times the square of yarn's `mscale_all_dim` magnitude. */
  readonly attentionScale: number;
  /** Which layers are mixtures of experts. */
  readonly expertLayers: readonly boolean[];
  /** F of an expert. */
  readonly moeIntermediateSize: number;
  readonly nRoutedExperts: number;
  /** A shared block is so many experts wide; 0: there is none. */
  readonly nSharedExperts: number;
  readonly routing: RoutingOptions;
  readonly tieWordEmbeddings: boolean;
  readonly padTokenId: number | null;
  /** Generation ends with any of these. */
  readonly eosTokenIds: readonly number[];
  /** Classes of a classification head. */
  readonly numLabels: number;
}

/** What follows from other keys of config.json. */
type Derived = 'raw' | 'eosTokenIds' | 'attentionScale' | 'expertLayers' | 'routing';

/** Options of a DeepSeek-V2 made in code: config.json's keys in camelCase. */
export type DeepseekV2Options = Partial<Omit<DeepseekV2Config, Derived>> &
  Pick<DeepseekV2Config, 'vocabSize' | 'hiddenSize' | 'intermediateSize' | 'numHiddenLayers' | 'numAttentionHeads'> & {
    eosTokenId?: number | number[];
    /** How many experts a token goes to. */
    numExpertsPerTok?: number;
    /** The first so many layers have no experts. Default 0. */
    firstKDenseReplace?: number;
    /** From then on every so many layers has. Default 1. */
    moeLayerFreq?: number;
    /** `'greedy'` (default), or `'group_limited_greedy'`: experts of the best `topkGroup` of `nGroup` groups. */
    topkMethod?: 'greedy' | 'group_limited_greedy';
    nGroup?: number;
    topkGroup?: number;
    /** Weights of a token's experts sum to 1; else they are multiplied by `routedScalingFactor`. */
    normTopkProb?: boolean;
    routedScalingFactor?: number;
  };

/**
 * Reads config.json of a DeepSeek-V2. What balances experts in training (`aux_loss_alpha`, `seq_aux`) is passed over, as
 * transformers does: it changes no numbers of the model.
 *
 * @param where - put before each message
 * @throws ConfigError that names the key
 */
export function deepseekV2Config(raw: unknown, where = 'config.json'): DeepseekV2Config {
  const config = new ConfigReader(raw, where);
  config.expect('model_type', 'deepseek_v2');
  config.expect('pretraining_tp', 1);
  config.expect('scoring_func', 'softmax');
  const heads = config.integer('num_attention_heads', 32);
  config.expect('num_key_value_heads', heads);
  const numHiddenLayers = layerCount(config, 'num_hidden_layers', 32);
  const attention = latentSizes(config);
  const rope = ropeConfig(config, attention.qkRopeHeadDim);
  return {
    vocabSize: config.integer('vocab_size', 32000),
    hiddenSize: config.integer('hidden_size', 4096),
    intermediateSize: config.integer('intermediate_size', 11008),
    numHiddenLayers,
    numAttentionHeads: heads,
    maxPositionEmbeddings: stretchedLength(config.integer('max_position_embeddings', 2048), rope),
    hiddenAct: config.choice('hidden_act', activationNames, 'silu'),
    rmsNormEps: config.positive('rms_norm_eps', 1e-6),
    attentionBias: config.boolean('attention_bias', false),
    attentionDropout: config.probability('attention_dropout', 0),
    ...attention,
    ...rope,
    attentionScale: attentionScale(config, attention),
    ...experts(config, numHiddenLayers),
    initializerRange: config.nonNegative('initializer_range', 0.02),
    tieWordEmbeddings: config.boolean('tie_word_embeddings', false),
    padTokenId: config.integerOrNull('pad_token_id'),
    eosTokenIds: tokenIds(config, 'eos_token_id', 2),
    numLabels: numLabels(config),
    raw: config.raw,
  };
}

function latentSizes(config: ConfigReader) {
  const qkRopeHeadDim = config.integer('qk_rope_head_dim', 64);
  if (qkRopeHeadDim % 2 !== 0) throw config.complaint('qk_rope_head_dim', 'even, as elements turn in pairs');
  return {
    qLoraRank: config.raw.q_lora_rank === undefined ? 1536 : config.integerOrNull('q_lora_rank', 1),
    kvLoraRank: config.integer('kv_lora_rank', 512),
    qkNopeHeadDim: config.integer('qk_nope_head_dim', 128),
    qkRopeHeadDim,
    vHeadDim: config.integer('v_head_dim', 128),
  };
}

/** Yarn in DeepSeek's form: scores grow with the square of a magnitude, whatever cosine and sine are multiplied by. */
function attentionScale(
  config: ConfigReader,
  { qkNopeHeadDim, qkRopeHeadDim }: ReturnType<typeof latentSizes>,
): number {
  const plain = 1 / Math.sqrt(qkNopeHeadDim + qkRopeHeadDim);
  const rope = ropeReader(config);
  const mscale = rope?.nonNegative('mscale_all_dim', 0) ?? 0;
  return mscale === 0 ? plain : plain * yarnMagnitude(rope!.positive('factor', 1), mscale) ** 2;
}

function experts(config: ConfigReader, layers: number) {
  const first = config.integer('first_k_dense_replace', 0, 0);
  const every = config.integer('moe_layer_freq', 1);
  const dense = config.raw.n_routed_experts === null;
  const expertLayers = Array.from({ length: layers }, (_, i) => !dense && i >= first && i % every === 0);
  const nRoutedExperts = config.integer('n_routed_experts', 64);
  return {
    expertLayers,
    moeIntermediateSize: config.integer('moe_intermediate_size', 1407),
    nRoutedExperts,
    nSharedExperts: config.raw.n_shared_experts === undefined ? 2 : (config.integerOrNull('n_shared_experts') ?? 0),
    routing: expertLayers.includes(true) ? routing(config, nRoutedExperts) : { topK: 1 },
  };
}

/** Normalized weights are not scaled, as in DeepSeek's own code. */
function routing(config: ConfigReader, count: number): RoutingOptions {
  const topK = config.integer('num_experts_per_tok');
  const method = config.choice('topk_method', ['greedy', 'group_limited_greedy'] as const, 'greedy');
  const groups = method === 'greedy' ? 1 : config.integer('n_group');
  const topGroups = method === 'greedy' ? 1 : config.integer('topk_group');
  if (count % groups !== 0) throw config.complaint('n_group', `a divisor of n_routed_experts ${count}`);
  if (topGroups > groups) throw config.complaint('topk_group', `at most n_group ${groups}`);
  const open = (count / groups) * topGroups;
  if (topK > open) throw config.complaint('num_experts_per_tok', `at most the ${open} experts to choose from`);
  const normalize = topK > 1 && config.boolean('norm_topk_prob', false);
  const scale = config.positive('routed_scaling_factor', 1);
  return { topK, groups, topGroups, normalize, scale: normalize ? 1 : scale };
}

function weightCount(config: DeepseekV2Config): number {
  const { hiddenSize: C, numAttentionHeads: H, kvLoraRank: R, qLoraRank: Q } = config;
  const queries = H * (config.qkNopeHeadDim + config.qkRopeHeadDim);
  const attention =
    (Q === null ? C * queries : Q * (C + queries)) +
    C * (R + config.qkRopeHeadDim) +
    H * (R * (config.qkNopeHeadDim + config.vHeadDim) + config.vHeadDim * C);
  const expert = 3 * C * config.moeIntermediateSize;
  const mixture = config.nRoutedExperts * (C + expert) + config.nSharedExperts * expert;
  const mixtures = config.expertLayers.filter(Boolean).length;
  const dense = (config.numHiddenLayers - mixtures) * 3 * C * config.intermediateSize;
  return config.vocabSize * C + config.numHiddenLayers * (attention + 2 * C) + mixtures * mixture + dense + C;
}

/** DeepSeek-V2 and DeepSeek-V2-Lite. */
export const deepseekV2: Family<DeepseekV2Config, DeepseekV2Options> = {
  rawConfig: (options) => rawConfigOf('deepseek_v2', options),
  readConfig: deepseekV2Config,
  weightCount,
  baseModel: 'model',
};
