import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { type BartConfig, bart } from './bart-config.js';
import type { BartParts } from './bart-layers.js';
import { BartModel } from './bart-model.js';
import { FamilyModel } from './family.js';
import { type Seq2SeqTextInput, textStates } from './seq2seq-text.js';
import { type SpanInput, type SpanOutput, spanOutput } from './span-output.js';

/** BART that finds the answer to a question in a text, which encoder and decoder both read. */
export class BartForQuestionAnswering extends FamilyModel<BartConfig> {
  static readonly architecture = 'BartForQuestionAnswering';
  static readonly family = bart;
  readonly model: BartModel;
  readonly qaOutputs: LinearLike; // [C] -> [2]

  constructor(parts: BartParts) {
    super();
    this.model = new BartModel(parts);
    this.qaOutputs = parts.weights.linear(parts.config.hiddenSize, 2, { bias: true });
  }

  get config(): BartConfig {
    return this.model.config;
  }

  /** Logits of the answer's ends, and their loss where `startPositions` and `endPositions` are given. */
  forward(input: Seq2SeqTextInput & SpanInput): SpanOutput {
    return scope(() => spanOutput(this.qaOutputs, textStates(this.model, input), input));
  }
}
