import { type ActivationName, activationNames } from '@burin/ffn';
import type { RotaryScaling } from '@burin/nn';
import { ConfigReader, type RawConfig } from './config-reader.js';
import { classifierDropout, layerCount, numLabels, tokenIds } from './head-config.js';
import { layerTypes } from './layer-types.js';
import { ropeConfig, stretchedLength } from './rope-config.js';

/** What the members of the family call themselves in `model_type`. */
export type LlamaModelType = 'llama' | 'mistral' | 'qwen2' | 'qwen3' | 'gemma';

/** A decoder of the Llama family (Touvron et al. 2023, https://arxiv.org/abs/2302.13971), by config.json's names. */
export interface LlamaConfig {
  readonly modelType: LlamaModelType;
  readonly vocabSize: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly numHiddenLayers: number;
  readonly numAttentionHeads: number;
  readonly numKeyValueHeads: number;
  readonly headDim: number;
  readonly maxPositionEmbeddings: number;
  readonly hiddenAct: ActivationName;
  readonly rmsNormEps: number;
  readonly ropeTheta: number;
  readonly ropeScaling: RotaryScaling | null;
  /** Biases of the query, key and value projections. */
  readonly qkvBias: boolean;
  /** Bias of the output projection. */
  readonly outputBias: boolean;
  readonly mlpBias: boolean;
  /** Queries and keys are normed over each head (Qwen3). */
  readonly qkNorm: boolean;
  /** Norms multiply by 1 + weight (Gemma). */
  readonly unitOffsetNorm: boolean;
  /** Factor on the embeddings: √C in Gemma, else 1. */
  readonly embeddingScale: number;
  readonly attentionDropout: number;
  /** A query sees the keys less than this many positions back; null: all. One value a layer. */
  readonly slidingWindows: readonly (number | null)[];
  readonly tieWordEmbeddings: boolean;
  readonly initializerRange: number;
  readonly padTokenId: number | null;
  readonly bosTokenId: number | null;
  /** Generation ends with any of these. */
  readonly eosTokenIds: readonly number[];
  /** Classes of a sequence classification head. */
  readonly numLabels: number;
  /** Before the head that classifies tokens. */
  readonly classifierDropout: number;
  /** The file's own content, written back by savePretrained. */
  readonly raw: RawConfig;
}

/** What transformers takes where config.json is silent. */
const DEFAULTS = {
  llama: { kvHeads: null, headDim: null, maxPositions: 2048, activation: 'silu', tied: false },
  mistral: { kvHeads: 8, headDim: null, maxPositions: 131072, activation: 'silu', tied: false },
  qwen2: { kvHeads: 32, headDim: null, maxPositions: 32768, activation: 'silu', tied: false },
  qwen3: { kvHeads: 32, headDim: 128, maxPositions: 32768, activation: 'silu', tied: false },
  gemma: { kvHeads: 16, headDim: 256, maxPositions: 8192, activation: 'gelu_pytorch_tanh', tied: true },
} as const satisfies Record<LlamaModelType, object>;

/**
 * Reads config.json of a Llama, Mistral, Qwen2, Qwen3 or Gemma.
 *
 * @param where - put before each message
 * @param expected - the member that `architectures` names; another `model_type` is an error
 * @throws ConfigError that names the key
 */
export function llamaConfig(raw: unknown, where = 'config.json', expected?: LlamaModelType): LlamaConfig {
  const config = new ConfigReader(raw, where);
  const types = expected ? [expected] : (Object.keys(DEFAULTS) as LlamaModelType[]);

  const modelType = config.choice<LlamaModelType>('model_type', types, types[0]);
  config.expect('pretraining_tp', 1);
  const numHiddenLayers = layerCount(config, 'num_hidden_layers');
  if (modelType === 'gemma') config.expect('use_bidirectional_attention', false);
  const sizes = headSizes(config, modelType);
  const rope = ropeConfig(config, sizes.headDim);
  const maxPositions = config.integer('max_position_embeddings', DEFAULTS[modelType].maxPositions);
  return {
    modelType,
    vocabSize: config.integer('vocab_size'),
    intermediateSize: config.integer('intermediate_size'),
    numHiddenLayers,
    ...sizes,
    maxPositionEmbeddings: stretchedLength(maxPositions, rope),
    hiddenAct: activation(config, modelType),
    rmsNormEps: config.positive('rms_norm_eps', 1e-6),
    ...rope,
    ...attentionBiases(config, modelType),
    mlpBias: modelType === 'llama' && config.boolean('mlp_bias', false),
    qkNorm: modelType === 'qwen3',
    unitOffsetNorm: modelType === 'gemma',
    embeddingScale: modelType === 'gemma' ? Math.sqrt(sizes.hiddenSize) : 1,
    attentionDropout: config.probability('attention_dropout', 0),
    slidingWindows: slidingWindows(config, modelType, numHiddenLayers),
    tieWordEmbeddings: config.boolean('tie_word_embeddings', DEFAULTS[modelType].tied),
    initializerRange: config.nonNegative('initializer_range', 0.02),
    padTokenId: config.integerOrNull('pad_token_id', -1),
    bosTokenId: config.integerOrNull('bos_token_id'),
    eosTokenIds: tokenIds(config, 'eos_token_id'),
    numLabels: numLabels(config),
    classifierDropout: classifierDropout(config),
    raw: config.raw,
  };
}

/** Gemma's newer key goes first. */
function activation(config: ConfigReader, modelType: LlamaModelType): ActivationName {
  const key = modelType === 'gemma' && config.has('hidden_activation') ? 'hidden_activation' : 'hidden_act';
  return config.choice(key, activationNames, DEFAULTS[modelType].activation);
}

/** Mistral has no biases, Qwen2 always three; the others say. */
function attentionBiases(config: ConfigReader, modelType: LlamaModelType) {
  const all = config.boolean('attention_bias', false) && modelType !== 'mistral' && modelType !== 'qwen2';
  return { qkvBias: all || modelType === 'qwen2', outputBias: all };
}

function headSizes(config: ConfigReader, modelType: LlamaModelType) {
  const hiddenSize = config.integer('hidden_size');
  const heads = config.integer('num_attention_heads');
  const kvHeads = config.integer('num_key_value_heads', DEFAULTS[modelType].kvHeads ?? heads);
  const headDim = config.integerOrNull('head_dim', 1) ?? DEFAULTS[modelType].headDim ?? hiddenSize / heads;
  if (!Number.isInteger(headDim)) {
    throw config.complaint('num_attention_heads', `a divisor of hidden_size ${hiddenSize}`);
  }
  if (headDim % 2 !== 0) {
    const key = config.has('head_dim') ? 'head_dim' : 'hidden_size';
    throw config.complaint(key, `such that a head has an even number of elements, which turn in pairs, not ${headDim}`);
  }
  if (heads % kvHeads !== 0) throw config.complaint('num_key_value_heads', `a divisor of num_attention_heads ${heads}`);
  return { hiddenSize, numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim };
}

function slidingWindows(config: ConfigReader, modelType: LlamaModelType, layers: number): (number | null)[] {
  const all = (value: number | null) => new Array<number | null>(layers).fill(value);
  if (modelType === 'llama' || modelType === 'gemma') return all(null);
  // null says that there is none; only a key that is not there takes transformers' default
  const window = config.raw.sliding_window === undefined ? 4096 : config.integerOrNull('sliding_window', 1);
  if (modelType === 'mistral') return all(window);
  const types = layerTypes(config, layers);
  if (!config.boolean('use_sliding_window', false)) return all(null);
  const first = config.integer('max_window_layers', 28, 0); // Qwen2 and 3: layers from here on slide
  const slides = (layer: number) => (types ? types[layer] === 'sliding_attention' : layer >= first);
  return all(null).map((_, layer) => (slides(layer) ? window : null));
}

/** How many numbers the weights of such a decoder are, without a head. */
export function llamaWeightCount(config: LlamaConfig): number {
  const { hiddenSize: C, intermediateSize: F, headDim: D, numAttentionHeads: H, numKeyValueHeads: K } = config;
  const attention = 2 * C * H * D + 2 * C * K * D;
  const biases =
    (config.qkvBias ? (H + 2 * K) * D : 0) + (config.outputBias ? C : 0) + (config.mlpBias ? 2 * F + C : 0);
  const layer = attention + 3 * C * F + 2 * C + biases;
  return config.vocabSize * C + config.numHiddenLayers * layer + C;
}
