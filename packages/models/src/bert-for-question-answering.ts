import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { type BertConfig, bert } from './bert-config.js';
import { BertModel } from './bert-model.js';
import type { BertInput, BertParts } from './bert-parts.js';
import { FamilyModel } from './family.js';
import { type SpanInput, type SpanOutput, spanOutput } from './span-output.js';

/** BERT that finds the answer to a question in a text: where it begins and where it ends. */
export class BertForQuestionAnswering extends FamilyModel<BertConfig> {
  static readonly architecture = 'BertForQuestionAnswering';
  static readonly family = bert;
  readonly bert: BertModel;
  readonly qaOutputs: LinearLike; // [C] -> [2]

  constructor(parts: BertParts) {
    super();
    const { config, weights } = parts;
    this.bert = new BertModel(parts, { pooler: false });
    this.qaOutputs = weights.linear(config.hiddenSize, 2, { bias: true });
  }

  get config(): BertConfig {
    return this.bert.config;
  }

  /** Logits of the answer's ends, and their loss where `startPositions` and `endPositions` are given. */
  forward(input: BertInput & SpanInput): SpanOutput {
    return scope(() => spanOutput(this.qaOutputs, this.bert.forward(input), input));
  }
}
