import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { FamilyModel, type ModelParts } from './family.js';
import { type GPTNeoConfig, gptNeo } from './gpt-neo-config.js';
import { GPTNeoModel } from './gpt-neo-model.js';
import type { ModelInput } from './model-input.js';
import { type SpanInput, type SpanOutput, spanOutput } from './span-output.js';

/** GPT-Neo that finds the answer to a question in a text: where it begins and where it ends. */
export class GPTNeoForQuestionAnswering extends FamilyModel<GPTNeoConfig> {
  static readonly architecture = 'GPTNeoForQuestionAnswering';
  static readonly family = gptNeo;
  readonly transformer: GPTNeoModel;
  readonly qaOutputs: LinearLike; // [C] -> [2]

  constructor(parts: ModelParts<GPTNeoConfig>) {
    super();
    this.transformer = new GPTNeoModel(parts);
    this.qaOutputs = parts.weights.linear(parts.config.hiddenSize, 2, { bias: true });
  }

  get config(): GPTNeoConfig {
    return this.transformer.config;
  }

  /** Logits of the answer's ends, and their loss where `startPositions` and `endPositions` are given. */
  forward(input: ModelInput & SpanInput): SpanOutput {
    return scope(() => spanOutput(this.qaOutputs, this.transformer.forward(input), input));
  }
}
