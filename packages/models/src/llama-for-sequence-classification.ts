import type { FolderSource } from '@burin/checkpoint';
import type { Linear } from '@burin/nn';
import { type Generator, scope } from '@burin/tensor';
import type { RawConfig } from './config-reader.js';
import { labelNames } from './head-config.js';
import { lastTokenOutput } from './heads.js';
import { type LlamaConfig, type LlamaModelType, llamaConfig, llamaWeightCount } from './llama-config.js';
import type { LlamaForCausalLM, LlamaOptions } from './llama-for-causal-lm.js';
import { LlamaModel } from './llama-model.js';
import { type LoadOptions, loadPretrained } from './load-pretrained.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';
import { type Architecture, PretrainedModel } from './pretrained-model.js';
import { rawConfigOf } from './raw-config.js';
import { type SaveOptions, savePretrained } from './save-pretrained.js';
import { randomWeights, type Weights } from './weights.js';

const NAMES = {
  llama: 'LlamaForSequenceClassification',
  mistral: 'MistralForSequenceClassification',
  qwen2: 'Qwen2ForSequenceClassification',
  qwen3: 'Qwen3ForSequenceClassification',
  gemma: 'GemmaForSequenceClassification',
} as const satisfies Record<LlamaModelType, string>;

/** A decoder of the Llama family that gives each text one of `numLabels` classes, read at its last real token. */
export class LlamaForSequenceClassification extends PretrainedModel {
  readonly model: LlamaModel;
  readonly score: Linear; // [C] -> [labels], without a bias
  readonly numLabels: number; // its own: an adapter may wrap the head

  /** One of parts that are there already. */
  constructor(model: LlamaModel, score: Linear) {
    super();
    this.model = model;
    this.score = score;
    this.numLabels = score.outFeatures;
  }

  /** One of the given configuration, its layers made by `weights`; `rng` draws dropout in training. */
  static fromConfig(
    config: LlamaConfig,
    weights: Weights,
    rng: Generator | null = null,
  ): LlamaForSequenceClassification {
    const score = weights.linear(config.hiddenSize, config.numLabels, { bias: false });
    return new LlamaForSequenceClassification(new LlamaModel(config, weights, rng), score);
  }

  /** A new one with random weights. @throws ConfigError that names an option */
  static create(options: LlamaOptions, { rng }: { rng: Generator }): LlamaForSequenceClassification {
    const config = llamaConfig(rawConfigOf(options.modelType ?? 'llama', options), `${NAMES.llama}.create`);
    return LlamaForSequenceClassification.fromConfig(config, randomWeights(rng, config.initializerRange), rng);
  }

  /**
   * The decoder of a language model with a new head, normal with `initializer_range`. The decoder is taken over, not
   * copied; the language-model head is left to its owner.
   *
   * @throws RangeError unless `numLabels` is a whole number of 1 or more
   */
  static fromCausal(
    causal: LlamaForCausalLM,
    { numLabels, rng }: { numLabels: number; rng: Generator },
  ): LlamaForSequenceClassification {
    if (!Number.isInteger(numLabels) || numLabels < 1) {
      throw new RangeError(
        `${NAMES.llama}.fromCausal: numLabels must be a whole number of 1 or more, got ${numLabels}`,
      );
    }
    const { hiddenSize, initializerRange } = causal.config;
    const score = randomWeights(rng, initializerRange).linear(hiddenSize, numLabels, { bias: false });
    return new LlamaForSequenceClassification(causal.model, score);
  }

  /** Reads a Hugging Face folder. @throws see {@link loadPretrained} */
  static fromPretrained(folder: FolderSource, options?: LoadOptions): Promise<LlamaForSequenceClassification> {
    return loadPretrained(folder, sequenceClassificationArchitectures(), options);
  }

  /** Writes a Hugging Face folder. See {@link savePretrained}. */
  savePretrained(folder: string, options?: SaveOptions) {
    return savePretrained(this, folder, options);
  }

  get config(): LlamaConfig {
    return { ...this.model.config, numLabels: this.numLabels };
  }

  get architecture(): string {
    return NAMES[this.model.config.modelType];
  }

  get rawConfig(): RawConfig {
    const { id2label, label2id, num_labels: _inNames, ...raw } = this.model.config.raw;
    const { numLabels } = this;
    const named = typeof id2label === 'object' && Object.keys(id2label ?? {}).length === numLabels;
    return { ...raw, ...(named ? { id2label, label2id } : labelNames(numLabels)) };
  }

  /**
   * Logits `[B, labels]`, and the loss of int32 `labels` `[B]`. Padded texts need their `attentionMask`: the last real
   * token is found by it, never by its id.
   *
   * @throws ShapeError or DtypeError if a tensor does not fit `inputIds`
   */
  forward(input: ModelInput & LossInput): ModelOutput {
    return scope(() => lastTokenOutput(this.score, this.model.forward(input), input));
  }
}

/** The classifiers of this family, by config.json's names. */
export function sequenceClassificationArchitectures(): Architecture<LlamaForSequenceClassification>[] {
  return (Object.keys(NAMES) as LlamaModelType[]).map((modelType) => ({
    architecture: NAMES[modelType],
    weightCount: (raw, where) => llamaWeightCount(llamaConfig(raw, where, modelType)),
    fromConfig: (raw, weights, where, rng) =>
      LlamaForSequenceClassification.fromConfig(llamaConfig(raw, where, modelType), weights, rng),
  }));
}
