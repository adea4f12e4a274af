import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { FamilyModel, type ModelParts } from './family.js';
import { type Gpt2Config, gpt2 } from './gpt2-config.js';
import { GPT2Model } from './gpt2-model.js';
import type { ModelInput } from './model-input.js';
import { type SpanInput, type SpanOutput, spanOutput } from './span-output.js';

/** GPT-2 that finds the answer to a question in a text: where it begins and where it ends. */
export class GPT2ForQuestionAnswering extends FamilyModel<Gpt2Config> {
  static readonly architecture = 'GPT2ForQuestionAnswering';
  static readonly family = gpt2;
  readonly transformer: GPT2Model;
  readonly qaOutputs: LinearLike; // [C] -> [2]

  constructor(parts: ModelParts<Gpt2Config>) {
    super();
    this.transformer = new GPT2Model(parts);
    this.qaOutputs = parts.weights.linear(parts.config.hiddenSize, 2, { bias: true });
  }

  get config(): Gpt2Config {
    return this.transformer.config;
  }

  /** Logits of the answer's ends, and their loss where `startPositions` and `endPositions` are given. */
  forward(input: ModelInput & SpanInput): SpanOutput {
    return scope(() => spanOutput(this.qaOutputs, this.transformer.forward(input), input));
  }
}
