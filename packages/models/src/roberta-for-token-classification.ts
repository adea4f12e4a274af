import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { type BertConfig, roberta } from './bert-config.js';
import { BertModel } from './bert-model.js';
import type { BertInput, BertParts } from './bert-parts.js';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel } from './family.js';
import { labelledOutput } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';

/** RoBERTa that gives each token one of `numLabels` classes: names in a text, parts of speech. */
export class RobertaForTokenClassification extends FamilyModel<BertConfig> {
  static readonly architecture = 'RobertaForTokenClassification';
  static readonly family = roberta;
  readonly roberta: BertModel;
  readonly classifier: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;

  constructor(parts: BertParts) {
    super();
    const { config, weights, rng } = parts;
    this.roberta = new BertModel(parts, { pooler: false });
    this.classifier = weights.linear(config.hiddenSize, config.numLabels, { bias: true });
    this.dropout = dropoutOf(config.classifierDropout, rng);
  }

  get config(): BertConfig {
    return this.roberta.config;
  }

  /** Logits `[B, T, labels]`, and the loss of `labels` `[B, T]`; −100 has none. */
  forward(input: BertInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.roberta.forward(input);
      return labelledOutput(this.classifier, { states: drop(this.dropout, states), hiddenStates }, input);
    });
  }
}
