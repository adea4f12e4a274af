import type { FolderSource } from '@burin/checkpoint';
import type { Linear } from '@burin/nn';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import type { CausalInput } from './causal-model.js';
import type { RawConfig } from './config-reader.js';
import { causalLoss } from './head-loss.js';
import { causalOutput } from './heads.js';
import { type LlamaConfig, type LlamaModelType, llamaConfig, llamaWeightCount } from './llama-config.js';
import { LlamaModel } from './llama-model.js';
import { type LoadOptions, loadPretrained } from './load-pretrained.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';
import { type Architecture, PretrainedModel } from './pretrained-model.js';
import { rawConfigOf } from './raw-config.js';
import { type SaveOptions, savePretrained } from './save-pretrained.js';
import { randomWeights, tiedHead, type Weights } from './weights.js';

/** What follows from other keys of config.json. */
type Derived =
  | 'raw'
  | 'eosTokenIds'
  | 'slidingWindows'
  | 'qkvBias'
  | 'outputBias'
  | 'qkNorm'
  | 'unitOffsetNorm'
  | 'embeddingScale';

/** Options of a Llama, or by `modelType` a Mistral, Qwen2, Qwen3 or Gemma, made in code: config.json's keys in camelCase. */
export type LlamaOptions = Partial<Omit<LlamaConfig, Derived>> &
  Pick<LlamaConfig, 'vocabSize' | 'hiddenSize' | 'intermediateSize' | 'numHiddenLayers' | 'numAttentionHeads'> & {
    eosTokenId?: number | number[];
    /** Biases of all projections of the attention; not Mistral, and Qwen2 has its own. */
    attentionBias?: boolean;
    /** A query sees the keys less than this many positions back; null: all. Mistral, and Qwen where it is used. */
    slidingWindow?: number | null;
    /** Qwen: layers from `maxWindowLayers` on have the window. */
    useSlidingWindow?: boolean;
    maxWindowLayers?: number;
  };

const NAMES = {
  llama: 'LlamaForCausalLM',
  mistral: 'MistralForCausalLM',
  qwen2: 'Qwen2ForCausalLM',
  qwen3: 'Qwen3ForCausalLM',
  gemma: 'GemmaForCausalLM',
} as const satisfies Record<LlamaModelType, string>;

/**
 * A decoder of the Llama family with its language-model head: Llama, Mistral, Qwen2, Qwen3 and Gemma.
 *
 * @example
 * const model = await LlamaForCausalLM.fromPretrained('models/stories260k');
 */
export class LlamaForCausalLM extends PretrainedModel {
  readonly model: LlamaModel;
  readonly lmHead: Linear; // [C] -> [V]; its weight is the embedding's where tied

  /** One of parts that are there already. */
  constructor(model: LlamaModel, lmHead: Linear) {
    super();
    this.model = model;
    this.lmHead = lmHead;
  }

  /** One of the given configuration, its layers made by `weights`; `rng` draws dropout in training. */
  static fromConfig(config: LlamaConfig, weights: Weights, rng: Generator | null = null): LlamaForCausalLM {
    const model = new LlamaModel(config, weights, rng);
    const head = config.tieWordEmbeddings
      ? tiedHead(model.embedTokens)
      : weights.linear(config.hiddenSize, config.vocabSize, { bias: false });
    return new LlamaForCausalLM(model, head);
  }

  /** A new one with random weights. @throws ConfigError that names an option */
  static create(options: LlamaOptions, { rng }: { rng: Generator }): LlamaForCausalLM {
    const config = llamaConfig(rawConfigOf(options.modelType ?? 'llama', options), 'LlamaForCausalLM.create');
    return LlamaForCausalLM.fromConfig(config, randomWeights(rng, config.initializerRange), rng);
  }

  /** Reads a Hugging Face folder. @throws see {@link loadPretrained} */
  static fromPretrained(folder: FolderSource, options?: LoadOptions): Promise<LlamaForCausalLM> {
    return loadPretrained(folder, causalArchitectures(), options);
  }

  /** Writes a Hugging Face folder. See {@link savePretrained}. */
  savePretrained(folder: string, options?: SaveOptions) {
    return savePretrained(this, folder, options);
  }

  get config(): LlamaConfig {
    return this.model.config;
  }

  get architecture(): string {
    return NAMES[this.config.modelType];
  }

  get rawConfig(): RawConfig {
    return this.config.raw;
  }

  /**
   * Logits of the next token at each place, `[B, T, V]`, and the loss of `labels` `[B, T]`: label t says what token t is;
   * they are moved by one here.
   *
   * @throws ShapeError or DtypeError if a tensor does not fit `inputIds`
   */
  forward(input: CausalInput & LossInput): ModelOutput {
    return scope(() => causalOutput(this.lmHead, this.model.forward(input), input));
  }

  /**
   * The loss that `forward` would return, without its logits: `[B, T, V]` is never held. What training calls.
   *
   * @throws RangeError if there are no labels
   */
  loss(input: ModelInput & LossInput): Tensor {
    return scope(() => causalLoss('LlamaForCausalLM', this.lmHead, this.model, input));
  }
}

/** The language models of this family, by config.json's names. */
export function causalArchitectures(): Architecture<LlamaForCausalLM>[] {
  return (Object.keys(NAMES) as LlamaModelType[]).map((modelType) => ({
    architecture: NAMES[modelType],
    weightCount: (raw, where) => llamaWeightCount(llamaConfig(raw, where, modelType)),
    fromConfig: (raw, weights, where, rng) =>
      LlamaForCausalLM.fromConfig(llamaConfig(raw, where, modelType), weights, rng),
  }));
}
