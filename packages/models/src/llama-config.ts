import type { RotaryScaling } from '@burin/nn';
import { ConfigError, ConfigReader, type RawConfig } from './config-reader.js';

/** A decoder of the Llama family (Touvron et al. 2023, https://arxiv.org/abs/2302.13971), by config.json's names. */
export interface LlamaConfig {
  readonly modelType: 'llama' | 'mistral' | 'qwen2';
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
  readonly hiddenAct: string;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RotaryScaling | null;
  /** Biases of the query, key and value projections. */
  readonly qkvBias: boolean;
  /** Bias of the output projection. */
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  readonly attentionDropout: number;
  /** A query sees the keys less than this many positions back; null: all. One value a layer. */
  readonly slidingWindows: readonly (number | null)[];
  readonly tieWordEmbeddings: boolean;
  readonly initializerRange: number;
  readonly padTokenId: number | null;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  /** Classes of a sequence classification head. */
  readonly numLabels: number;
  /** The file's own content, written back by savePretrained. */
  readonly raw: RawConfig;
}

const DEFAULTS = {
  llama: { kvHeads: null, maxPositions: 2048, tied: false },
  mistral: { kvHeads: 8, maxPositions: 131072, tied: false },
  qwen2: { kvHeads: 32, maxPositions: 32768, tied: false },
} as const;

/** Reads config.json of a Llama, Mistral or Qwen2. @throws ConfigError that names the key */
export function llamaConfig(raw: unknown, where = 'config.json'): LlamaConfig {
  const config = new ConfigReader(raw, where);
  const modelType = modelTypeOf(config);
  const defaults = DEFAULTS[modelType];
  const heads = config.integer('num_attention_heads');
  const hiddenSize = config.integer('hidden_size');
  const headDim = config.integerOrNull('head_dim', 1) ?? hiddenSize / heads;
  const kvHeads = config.integer('num_key_value_heads', defaults.kvHeads ?? heads);
  if (!Number.isInteger(headDim))
    throw config.complaint('num_attention_heads', `a divisor of hidden_size ${hiddenSize}`);
  if (heads % kvHeads !== 0) throw config.complaint('num_key_value_heads', `a divisor of num_attention_heads ${heads}`);
  config.expect('pretraining_tp', 1);
  const layers = config.integer('num_hidden_layers');
  const bias = config.boolean('attention_bias', false);
  return {
    modelType,
    vocabSize: config.integer('vocab_size'),
    hiddenSize,
    intermediateSize: config.integer('intermediate_size'),
    numHiddenLayers: layers,
    numAttentionHeads: heads,
    numKeyValueHeads: kvHeads,
    headDim,
    maxPositionEmbeddings: config.integer('max_position_embeddings', defaults.maxPositions),
    hiddenAct: config.string('hidden_act', 'silu'),
    rmsNormEps: config.number('rms_norm_eps', 1e-6),
    ropeTheta: config.number('rope_theta', 10000),
    ropeScaling: ropeScaling(config),
    qkvBias: modelType === 'qwen2' || bias,
    outputBias: modelType === 'llama' && bias,
    mlpBias: modelType === 'llama' && config.boolean('mlp_bias', false),
    attentionDropout: config.number('attention_dropout', 0),
    slidingWindows: slidingWindows(config, modelType, layers),
    tieWordEmbeddings: config.boolean('tie_word_embeddings', defaults.tied),
    initializerRange: config.number('initializer_range', 0.02),
    padTokenId: config.integerOrNull('pad_token_id', -1),
    bosTokenId: config.integerOrNull('bos_token_id'),
    eosTokenIds: tokenIds(config, 'eos_token_id'),
    numLabels: numLabels(config),
    raw: config.raw,
  };
}

function modelTypeOf(config: ConfigReader): LlamaConfig['modelType'] {
  const type = config.string('model_type', 'llama');
  if (type === 'llama' || type === 'mistral' || type === 'qwen2') return type;
  throw config.complaint('model_type', "'llama', 'mistral' or 'qwen2'");
}

function slidingWindows(config: ConfigReader, modelType: string, layers: number): (number | null)[] {
  const window = config.integerOrNull('sliding_window', 1);
  const all = (value: number | null) => new Array<number | null>(layers).fill(value);
  if (modelType === 'llama') return all(null);
  if (modelType === 'mistral') return all(window);
  if (!config.boolean('use_sliding_window', false)) return all(null);
  const first = config.integer('max_window_layers', 28, 0); // Qwen2: layers from here on slide
  const types = config.raw['layer_types'];
  return all(null).map((_, layer) => {
    const slides = Array.isArray(types) ? types[layer] === 'sliding_attention' : layer >= first;
    return slides ? window : null;
  });
}

function ropeScaling(config: ConfigReader): RotaryScaling | null {
  const raw = config.raw['rope_scaling'];
  if (raw === undefined || raw === null) return null;
  const scaling = new ConfigReader(raw, `${config.where}: rope_scaling`);
  const type = scaling.string('rope_type', typeof scaling.raw['type'] === 'string' ? scaling.raw['type'] : undefined);
  const factor = type === 'default' ? 1 : scaling.number('factor');
  switch (type) {
    case 'default':
      return null;
    case 'linear':
      return { type, factor };
    case 'llama3':
      return {
        type,
        factor,
        lowFreqFactor: scaling.number('low_freq_factor'),
        highFreqFactor: scaling.number('high_freq_factor'),
        originalMaxPositionEmbeddings: scaling.integer('original_max_position_embeddings'),
      };
    default:
      throw new ConfigError(
        `${scaling.where}: rope_type '${type}' is not supported; supported: default, linear, llama3`,
      );
  }
}

/** One id or several, as generation stops at any of them. */
export function tokenIds(config: ConfigReader, key: string): number[] {
  const value = config.raw[key] ?? [];
  const ids = Array.isArray(value) ? value : [value];
  if (ids.every((id) => Number.isInteger(id) && id >= 0)) return ids;
  throw config.complaint(key, 'a token id or a list of them');
}

/** `num_labels`, or the number of names in `id2label`; 2 where neither is given, as in transformers. */
export function numLabels(config: ConfigReader): number {
  const names = config.raw['id2label'];
  if (typeof names === 'object' && names !== null) return Object.keys(names).length;
  return config.integer('num_labels', 2);
}
