import { type ActivationName, activationNames } from '@burin/ffn';
import { ConfigReader } from './config-reader.js';
import type { Family, FamilyConfig } from './family.js';
import { layerCount, numLabels } from './head-config.js';
import { rawConfigOf } from './raw-config.js';

/** A Vision Transformer, by config.json's names (Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929). */
export interface ViTConfig extends FamilyConfig {
  readonly hiddenSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly intermediateSize: number;
  readonly hiddenAct: ActivationName;
  readonly hiddenDropoutProb: number;
  readonly attentionProbsDropoutProb: number;
  readonly layerNormEps: number;
  /** Height and width of an image, pixels. */
  readonly imageSize: number;
  /** Height and width of a patch, pixels. */
  readonly patchSize: number;
  readonly numChannels: number;
  readonly qkvBias: boolean;
  readonly numLabels: number;
}

/** Options of a ViT made in code: config.json's keys in camelCase. */
export type ViTOptions = Partial<Omit<ViTConfig, 'raw'>> &
  Pick<ViTConfig, 'hiddenSize' | 'intermediateSize' | 'numHiddenLayers' | 'numAttentionHeads'>;

/**
 * Reads config.json of a ViT.
 *
 * @param where - put before each message
 * @throws ConfigError that names the key
 */
export function vitConfig(raw: unknown, where = 'config.json'): ViTConfig {
  const config = new ConfigReader(raw, where);
  config.expect('model_type', 'vit');
  const hiddenSize = config.integer('hidden_size', 768);
  const heads = config.integer('num_attention_heads', 12);
  if (hiddenSize % heads !== 0) throw config.complaint('num_attention_heads', `a divisor of hidden_size ${hiddenSize}`);
  const imageSize = config.integer('image_size', 224);
  const patchSize = config.integer('patch_size', 16);
  if (imageSize % patchSize !== 0) throw config.complaint('patch_size', `a divisor of image_size ${imageSize}`);
  return {
    hiddenSize,
    numHiddenLayers: layerCount(config, 'num_hidden_layers', 12),
    numAttentionHeads: heads,
    intermediateSize: config.integer('intermediate_size', 3072),
    hiddenAct: config.choice('hidden_act', activationNames, 'gelu'),
    hiddenDropoutProb: config.probability('hidden_dropout_prob', 0),
    attentionProbsDropoutProb: config.probability('attention_probs_dropout_prob', 0),
    layerNormEps: config.positive('layer_norm_eps', 1e-12),
    initializerRange: config.nonNegative('initializer_range', 0.02),
    imageSize,
    patchSize,
    numChannels: config.integer('num_channels', 3),
    qkvBias: config.boolean('qkv_bias', true),
    numLabels: numLabels(config),
    raw: config.raw,
  };
}

function weightCount(config: ViTConfig): number {
  const { hiddenSize: C, intermediateSize: F, numChannels, patchSize, imageSize } = config;
  const embeddings = (numChannels * patchSize ** 2 + (imageSize / patchSize) ** 2 + 5) * C;
  return embeddings + config.numHiddenLayers * (4 * C * C + 2 * C * F + 9 * C + F);
}

/** The Vision Transformer. Checkpoints may hold a pooler that classification does not read. */
export const vit: Family<ViTConfig, ViTOptions> = {
  rawConfig: (options) => rawConfigOf('vit', options),
  readConfig: vitConfig,
  weightCount,
  baseModel: 'vit',
  ignored: /^(vit\.)?pooler\.dense\.(weight|bias)$/,
};
