import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { type DistilBertConfig, distilbert } from './distilbert-config.js';
import type { DistilBertInput, DistilBertParts } from './distilbert-model.js';
import { DistilBertModel } from './distilbert-model.js';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel } from './family.js';
import { labelledOutput } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';

/** DistilBERT that gives each token one of `numLabels` classes: names in a text, parts of speech. */
export class DistilBertForTokenClassification extends FamilyModel<DistilBertConfig> {
  static readonly architecture = 'DistilBertForTokenClassification';
  static readonly family = distilbert;
  readonly distilbert: DistilBertModel;
  readonly classifier: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;

  constructor(parts: DistilBertParts) {
    super();
    const { config, weights, rng } = parts;
    this.distilbert = new DistilBertModel(parts);
    this.classifier = weights.linear(config.hiddenSize, config.numLabels, { bias: true });
    this.dropout = dropoutOf(config.dropout, rng);
  }

  get config(): DistilBertConfig {
    return this.distilbert.config;
  }

  /** Logits `[B, T, labels]`, and the loss of `labels` `[B, T]`; −100 has none. */
  forward(input: DistilBertInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.distilbert.forward(input);
      return labelledOutput(this.classifier, { states: drop(this.dropout, states), hiddenStates }, input);
    });
  }
}
