import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { type BertConfig, bert } from './bert-config.js';
import { BertModel } from './bert-model.js';
import type { BertInput, BertParts } from './bert-parts.js';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel } from './family.js';
import { labelLoss } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';

/** BERT that gives each text one of `numLabels` classes, read at its first token through the pooler. */
export class BertForSequenceClassification extends FamilyModel<BertConfig> {
  static readonly architecture = 'BertForSequenceClassification';
  static readonly family = bert;
  readonly bert: BertModel;
  readonly classifier: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;

  constructor(parts: BertParts) {
    super();
    const { hiddenSize, numLabels, classifierDropout } = parts.config;
    this.bert = new BertModel(parts, { pooler: true });
    this.classifier = parts.weights.linear(hiddenSize, numLabels, { bias: true });
    this.dropout = dropoutOf(classifierDropout, parts.rng);
  }

  get config(): BertConfig {
    return this.bert.config;
  }

  /** Logits `[B, labels]`, and the loss of `labels` `[B]`. */
  forward(input: BertInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.bert.forward(input);
      const pooled = this.bert.pooler!.forward(states); // [B, C]
      const logits = this.classifier.forward(drop(this.dropout, pooled));
      return { logits, loss: labelLoss(logits, input), hiddenStates };
    });
  }
}
