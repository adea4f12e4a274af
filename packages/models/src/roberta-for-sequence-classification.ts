import { type Dropout, type LinearLike, Module } from '@burin/nn';
import { scope, type Tensor } from '@burin/tensor';
import { type BertConfig, roberta } from './bert-config.js';
import { BertModel } from './bert-model.js';
import type { BertInput, BertParts } from './bert-parts.js';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel } from './family.js';
import { firstTokenStates, labelLoss } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';

class RobertaClassificationHead extends Module {
  readonly dense: LinearLike; // [C] -> [C]
  readonly outProj: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;

  constructor({ config, weights, rng }: BertParts) {
    super();
    this.dense = weights.linear(config.hiddenSize, config.hiddenSize, { bias: true });
    this.outProj = weights.linear(config.hiddenSize, config.numLabels, { bias: true });
    this.dropout = dropoutOf(config.classifierDropout, rng);
  }

  /** `[B, C] -> [B, labels]` */
  forward(x: Tensor): Tensor {
    const hidden = this.dense.forward(drop(this.dropout, x)).tanh();
    return this.outProj.forward(drop(this.dropout, hidden));
  }
}

/** RoBERTa that gives each text one of `numLabels` classes, read at its first token. */
export class RobertaForSequenceClassification extends FamilyModel<BertConfig> {
  static readonly architecture = 'RobertaForSequenceClassification';
  static readonly family = roberta;
  readonly roberta: BertModel;
  readonly classifier: RobertaClassificationHead;

  constructor(parts: BertParts) {
    super();
    this.roberta = new BertModel(parts, { pooler: false });
    this.classifier = new RobertaClassificationHead(parts);
  }

  get config(): BertConfig {
    return this.roberta.config;
  }

  /** Logits `[B, labels]`, and the loss of `labels` `[B]`. */
  forward(input: BertInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.roberta.forward(input);
      const logits = this.classifier.forward(firstTokenStates(states));
      return { logits, loss: labelLoss(logits, input), hiddenStates };
    });
  }
}
