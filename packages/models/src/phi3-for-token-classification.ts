import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel, type ModelParts } from './family.js';
import { labelledOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';
import { type Phi3Config, phi3 } from './phi3-config.js';
import { Phi3Model } from './phi3-model.js';

/** Phi-3 that gives each token one of `numLabels` classes; a token sees those before it. */
export class Phi3ForTokenClassification extends FamilyModel<Phi3Config> {
  static readonly architecture = 'Phi3ForTokenClassification';
  static readonly family = phi3;
  readonly model: Phi3Model;
  readonly score: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;

  constructor(parts: ModelParts<Phi3Config>) {
    super();
    const { hiddenSize, numLabels, classifierDropout } = parts.config;
    this.model = new Phi3Model(parts);
    this.score = parts.weights.linear(hiddenSize, numLabels, { bias: true });
    this.dropout = dropoutOf(classifierDropout, parts.rng);
  }

  get config(): Phi3Config {
    return this.model.config;
  }

  /** Logits `[B, T, labels]`, and the loss of `labels` `[B, T]`, which are not moved; −100 has none. */
  forward(input: ModelInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.model.forward(input);
      return labelledOutput(this.score, { states: drop(this.dropout, states), hiddenStates }, input);
    });
  }
}
