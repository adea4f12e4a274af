import type { Linear } from '@burin/nn';
import { type Generator, scope } from '@burin/tensor';
import type { RawConfig } from './config-reader.js';
import { labelLoss, lastTokenStates } from './heads.js';
import { type LlamaConfig, llamaConfig } from './llama-config.js';
import type { LlamaForCausalLM, LlamaOptions } from './llama-for-causal-lm.js';
import { LlamaModel } from './llama-model.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';
import { type LoadOptions, loadPretrained, PretrainedModel, type SaveOptions, savePretrained } from './pretrained.js';
import { rawConfigOf } from './raw-config.js';
import { randomWeights, type Weights } from './weights.js';

const NAME = 'LlamaForSequenceClassification';

/** A Llama that gives each text one of `numLabels` classes, read at its last real token. */
export class LlamaForSequenceClassification extends PretrainedModel {
  readonly model: LlamaModel;
  readonly score: Linear; // [C] -> [labels], without a bias
  readonly numLabels: number; // its own: an adapter may wrap the head
  readonly architecture = NAME;

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
    const config = llamaConfig(rawConfigOf(options), `${NAME}.create`);
    return LlamaForSequenceClassification.fromConfig(config, randomWeights(rng, config.initializerRange), rng);
  }

  /**
   * The decoder of a language model with a new head, normal with `initializer_range`. The decoder is taken over, not
   * copied; the language-model head is left to its owner.
   */
  static fromCausal(
    causal: LlamaForCausalLM,
    { numLabels, rng }: { numLabels: number; rng: Generator },
  ): LlamaForSequenceClassification {
    const { hiddenSize, initializerRange } = causal.config;
    const score = randomWeights(rng, initializerRange).linear(hiddenSize, numLabels, { bias: false });
    return new LlamaForSequenceClassification(causal.model, score);
  }

  /** Reads a Hugging Face folder. @throws see {@link loadPretrained} */
  static fromPretrained(folder: string, options?: LoadOptions): Promise<LlamaForSequenceClassification> {
    return loadPretrained(folder, sequenceClassificationArchitectures, options);
  }

  /** Writes a Hugging Face folder. See {@link savePretrained}. */
  savePretrained(folder: string, options?: SaveOptions) {
    return savePretrained(this, folder, options);
  }

  get config(): LlamaConfig {
    return { ...this.model.config, numLabels: this.numLabels };
  }

  get rawConfig(): RawConfig {
    const { id2label, label2id, ...raw } = this.model.config.raw;
    const { numLabels } = this;
    const named = typeof id2label === 'object' && Object.keys(id2label ?? {}).length === numLabels;
    return { ...raw, ...(named ? { id2label, label2id } : labelNames(numLabels)) };
  }

  /** Logits `[B, labels]`, and the loss of `labels` `[B]`. Padded texts need their `attentionMask`. */
  forward(input: ModelInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.model.forward(input);
      const logits = this.score.forward(lastTokenStates(states, input.attentionMask)); // [B, labels]
      return { logits, loss: labelLoss(logits, input), hiddenStates };
    });
  }

  override dispose(): void {
    this.model.dispose();
    super.dispose();
  }
}

/** The names that transformers gives to classes without one; it reads the number of classes from them. */
function labelNames(count: number) {
  const names = Array.from({ length: count }, (_, label) => `LABEL_${label}`);
  return {
    id2label: Object.fromEntries(names.map((name, label) => [label, name])),
    label2id: Object.fromEntries(names.map((name, label) => [name, label])),
  };
}

/** The classifiers of this family, by config.json's names. */
export const sequenceClassificationArchitectures = [
  {
    architecture: NAME,
    fromConfig: (raw: RawConfig, weights: Weights, where?: string) =>
      LlamaForSequenceClassification.fromConfig(llamaConfig(raw, where), weights),
  },
];
