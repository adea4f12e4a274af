import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel, type ModelParts } from './family.js';
import { type Gpt2Config, gpt2 } from './gpt2-config.js';
import { GPT2Model } from './gpt2-model.js';
import { labelledOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';

/** GPT-2 that gives each token one of `numLabels` classes; a token sees those before it. */
export class GPT2ForTokenClassification extends FamilyModel<Gpt2Config> {
  static readonly architecture = 'GPT2ForTokenClassification';
  static readonly family = gpt2;
  readonly transformer: GPT2Model;
  readonly classifier: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;

  constructor(parts: ModelParts<Gpt2Config>) {
    super();
    const { hiddenSize, numLabels, classifierDropout } = parts.config;
    this.transformer = new GPT2Model(parts);
    this.classifier = parts.weights.linear(hiddenSize, numLabels, { bias: true });
    this.dropout = dropoutOf(classifierDropout, parts.rng);
  }

  get config(): Gpt2Config {
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
