import type { Dropout, LinearLike } from '@burin/nn';
import { scope, type Tensor } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel } from './family.js';
import { labelLoss } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';
import { type ModernBertConfig, modernBert } from './modernbert-config.js';
import { ModernBertPredictionHead } from './modernbert-head.js';
import type { ModernBertInput, ModernBertParts } from './modernbert-layer.js';
import { ModernBertModel } from './modernbert-model.js';
import { poolStates } from './pool-states.js';

/**
 * ModernBERT that gives each text one of `numLabels` classes, read at its first token or from the mean of its states, as
 * `classifierPooling` says.
 */
export class ModernBertForSequenceClassification extends FamilyModel<ModernBertConfig> {
  static readonly architecture = 'ModernBertForSequenceClassification';
  static readonly family = modernBert;
  readonly model: ModernBertModel;
  readonly head: ModernBertPredictionHead;
  readonly drop: Dropout | null;
  readonly classifier: LinearLike; // [C] -> [labels]

  constructor(parts: ModernBertParts) {
    super();
    const { hiddenSize, numLabels, classifierDropout } = parts.config;
    this.model = new ModernBertModel(parts);
    this.head = new ModernBertPredictionHead(parts);
    this.drop = dropoutOf(classifierDropout, parts.rng);
    this.classifier = parts.weights.linear(hiddenSize, numLabels, { bias: true });
  }

  get config(): ModernBertConfig {
    return this.model.config;
  }

  /** Logits `[B, labels]`, and the loss of `labels` `[B]`. */
  forward(input: ModernBertInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.model.forward(input);
      const pooled = this.head.forward(this.pool(states, input)); // [B, C]
      const logits = this.classifier.forward(drop(this.drop, pooled));
      return { logits, loss: labelLoss(logits, input), hiddenStates };
    });
  }

  private pool(states: Tensor, { attentionMask = null }: ModernBertInput): Tensor {
    return poolStates(states, attentionMask, { pooling: this.config.classifierPooling });
  }
}
