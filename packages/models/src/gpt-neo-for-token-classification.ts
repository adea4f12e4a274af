import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel, type ModelParts } from './family.js';
import { type GPTNeoConfig, gptNeo } from './gpt-neo-config.js';
import { GPTNeoModel } from './gpt-neo-model.js';
import { labelledOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';

/** GPT-Neo that gives each token one of `numLabels` classes; a token sees those before it. */
export class GPTNeoForTokenClassification extends FamilyModel<GPTNeoConfig> {
  static readonly architecture = 'GPTNeoForTokenClassification';
  static readonly family = gptNeo;
  readonly transformer: GPTNeoModel;
  readonly classifier: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;

  constructor(parts: ModelParts<GPTNeoConfig>) {
    super();
    const { hiddenSize, numLabels, classifierDropout } = parts.config;
    this.transformer = new GPTNeoModel(parts);
    this.classifier = parts.weights.linear(hiddenSize, numLabels, { bias: true });
    this.dropout = dropoutOf(classifierDropout, parts.rng);
  }

  get config(): GPTNeoConfig {
    return this.transformer.config;
  }

  /** Logits `[B, T, labels]`, and the loss of `labels` `[B, T]`, which are not moved; −100 has none. */
  forward(input: ModelInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.transformer.forward(input);
      return labelledOutput(this.classifier, { states: drop(this.dropout, states), hiddenStates }, input);
    });
  }
}
