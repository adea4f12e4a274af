import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { type DistilBertConfig, distilbert } from './distilbert-config.js';
import type { DistilBertInput, DistilBertParts } from './distilbert-model.js';
import { DistilBertModel } from './distilbert-model.js';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel } from './family.js';
import { type SpanInput, type SpanOutput, spanOutput } from './span-output.js';

/** DistilBERT that finds the answer to a question in a text: where it begins and where it ends. */
export class DistilBertForQuestionAnswering extends FamilyModel<DistilBertConfig> {
  static readonly architecture = 'DistilBertForQuestionAnswering';
  static readonly family = distilbert;
  readonly distilbert: DistilBertModel;
  readonly qaOutputs: LinearLike; // [C] -> [2]
  readonly dropout: Dropout | null;

  constructor(parts: DistilBertParts) {
    super();
    const { config, weights, rng } = parts;
    this.distilbert = new DistilBertModel(parts);
    this.qaOutputs = weights.linear(config.hiddenSize, 2, { bias: true });
    this.dropout = dropoutOf(config.qaDropout, rng);
  }

  get config(): DistilBertConfig {
    return this.distilbert.config;
  }

  /** Logits of the answer's ends, and their loss where `startPositions` and `endPositions` are given. */
  forward(input: DistilBertInput & SpanInput): SpanOutput {
    return scope(() => {
      const { states, hiddenStates } = this.distilbert.forward(input);
      return spanOutput(this.qaOutputs, { states: drop(this.dropout, states), hiddenStates }, input);
    });
  }
}
