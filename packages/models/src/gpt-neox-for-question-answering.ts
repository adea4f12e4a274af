import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { FamilyModel, type ModelParts } from './family.js';
import { type GPTNeoXConfig, gptNeoX } from './gpt-neox-config.js';
import { GPTNeoXModel } from './gpt-neox-model.js';
import type { ModelInput } from './model-input.js';
import { type SpanInput, type SpanOutput, spanOutput } from './span-output.js';

/** GPT-NeoX that finds the answer to a question in a text: where it begins and where it ends. */
export class GPTNeoXForQuestionAnswering extends FamilyModel<GPTNeoXConfig> {
  static readonly architecture = 'GPTNeoXForQuestionAnswering';
  static readonly family = gptNeoX;
  readonly gpt_neox: GPTNeoXModel;
  readonly qaOutputs: LinearLike; // [C] -> [2]

  constructor(parts: ModelParts<GPTNeoXConfig>) {
    super();
    this.gpt_neox = new GPTNeoXModel(parts);
    this.qaOutputs = parts.weights.linear(parts.config.hiddenSize, 2, { bias: true });
  }

  get config(): GPTNeoXConfig {
    return this.gpt_neox.config;
  }

  /** Logits of the answer's ends, and their loss where `startPositions` and `endPositions` are given. */
  forward(input: ModelInput & SpanInput): SpanOutput {
    return scope(() => spanOutput(this.qaOutputs, this.gpt_neox.forward(input), input));
  }
}
