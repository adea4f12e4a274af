import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { type BertConfig, roberta } from './bert-config.js';
import { BertModel } from './bert-model.js';
import type { BertInput, BertParts } from './bert-parts.js';
import { FamilyModel } from './family.js';
import { type SpanInput, type SpanOutput, spanOutput } from './span-output.js';

/** RoBERTa that finds the answer to a question in a text: where it begins and where it ends. */
export class RobertaForQuestionAnswering extends FamilyModel<BertConfig> {
  static readonly architecture = 'RobertaForQuestionAnswering';
  static readonly family = roberta;
  readonly roberta: BertModel;
  readonly qaOutputs: LinearLike; // [C] -> [2]

  constructor(parts: BertParts) {
    super();
    const { config, weights } = parts;
    this.roberta = new BertModel(parts, { pooler: false });
    this.qaOutputs = weights.linear(config.hiddenSize, 2, { bias: true });
  }

  get config(): BertConfig {
    return this.roberta.config;
  }

  /** Logits of the answer's ends, and their loss where `startPositions` and `endPositions` are given. */
  forward(input: BertInput & SpanInput): SpanOutput {
    return scope(() => spanOutput(this.qaOutputs, this.roberta.forward(input), input));
  }
}
