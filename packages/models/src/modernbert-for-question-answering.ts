import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel } from './family.js';
import { type ModernBertConfig, modernBert } from './modernbert-config.js';
import { ModernBertPredictionHead } from './modernbert-head.js';
import type { ModernBertInput, ModernBertParts } from './modernbert-layer.js';
import { ModernBertModel } from './modernbert-model.js';
import { type SpanInput, type SpanOutput, spanOutput } from './span-output.js';

/** ModernBERT that finds the answer to a question in a text: where it begins and where it ends. */
export class ModernBertForQuestionAnswering extends FamilyModel<ModernBertConfig> {
  static readonly architecture = 'ModernBertForQuestionAnswering';
  static readonly family = modernBert;
  readonly model: ModernBertModel;
  readonly head: ModernBertPredictionHead;
  readonly drop: Dropout | null;
  readonly classifier: LinearLike; // [C] -> [2]

  constructor(parts: ModernBertParts) {
    super();
    const { hiddenSize, classifierDropout } = parts.config;
    this.model = new ModernBertModel(parts);
    this.head = new ModernBertPredictionHead(parts);
    this.drop = dropoutOf(classifierDropout, parts.rng);
    this.classifier = parts.weights.linear(hiddenSize, 2, { bias: true });
  }

  get config(): ModernBertConfig {
    return this.model.config;
  }

  /** Logits of the answer's ends, and their loss where `startPositions` and `endPositions` are given. */
  forward(input: ModernBertInput & SpanInput): SpanOutput {
    return scope(() => {
      const { states, hiddenStates } = this.model.forward(input);
      const hidden = drop(this.drop, this.head.forward(states)); // [B, T, C]
      return spanOutput(this.classifier, { states: hidden, hiddenStates }, input);
    });
  }
}
