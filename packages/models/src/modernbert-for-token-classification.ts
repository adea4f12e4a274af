import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel } from './family.js';
import { labelledOutput } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';
import { type ModernBertConfig, modernBert } from './modernbert-config.js';
import { ModernBertPredictionHead } from './modernbert-head.js';
import type { ModernBertInput, ModernBertParts } from './modernbert-layer.js';
import { ModernBertModel } from './modernbert-model.js';

/** ModernBERT that gives each token one of `numLabels` classes: names in a text, parts of speech. */
export class ModernBertForTokenClassification extends FamilyModel<ModernBertConfig> {
  static readonly architecture = 'ModernBertForTokenClassification';
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

  /** Logits `[B, T, labels]`, and the loss of `labels` `[B, T]`; −100 has none. */
  forward(input: ModernBertInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.model.forward(input);
      const hidden = drop(this.drop, this.head.forward(states)); // [B, T, C]
      return labelledOutput(this.classifier, { states: hidden, hiddenStates }, input);
    });
  }
}
