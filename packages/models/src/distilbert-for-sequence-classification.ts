import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { type DistilBertConfig, distilbert } from './distilbert-config.js';
import { type DistilBertInput, DistilBertModel, type DistilBertParts } from './distilbert-model.js';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel } from './family.js';
import { firstTokenStates, labelLoss } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';

/** DistilBERT that gives each text one of `numLabels` classes, read at its first token. */
export class DistilBertForSequenceClassification extends FamilyModel<DistilBertConfig> {
  static readonly architecture = 'DistilBertForSequenceClassification';
  static readonly family = distilbert;
  readonly distilbert: DistilBertModel;
  readonly preClassifier: LinearLike; // [C] -> [C]
  readonly classifier: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;

  constructor(parts: DistilBertParts) {
    super();
    const { config, weights, rng } = parts;
    this.distilbert = new DistilBertModel(parts);
    this.preClassifier = weights.linear(config.hiddenSize, config.hiddenSize, { bias: true });
    this.classifier = weights.linear(config.hiddenSize, config.numLabels, { bias: true });
    this.dropout = dropoutOf(config.seqClassifDropout, rng);
  }

  get config(): DistilBertConfig {
    return this.distilbert.config;
  }

  /** Logits `[B, labels]`, and the loss of `labels` `[B]`. */
  forward(input: DistilBertInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.distilbert.forward(input);
      const hidden = this.preClassifier.forward(firstTokenStates(states)).relu();
      const logits = this.classifier.forward(drop(this.dropout, hidden));
      return { logits, loss: labelLoss(logits, input), hiddenStates };
    });
  }
}
