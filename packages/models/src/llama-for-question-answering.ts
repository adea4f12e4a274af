import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { ConfigError } from './config-reader.js';
import { FamilyModel, type ModelParts } from './family.js';
import type { LlamaConfig, LlamaModelType } from './llama-config.js';
import { llama, llamaMembers } from './llama-family.js';
import { LlamaModel } from './llama-model.js';
import type { ModelInput } from './model-input.js';
import { type SpanInput, type SpanOutput, spanOutput } from './span-output.js';

const NAMES = {
  llama: 'LlamaForQuestionAnswering',
  qwen2: 'Qwen2ForQuestionAnswering',
  qwen3: 'Qwen3ForQuestionAnswering',
} as const satisfies Partial<Record<LlamaModelType, string>>;

/** A decoder of the Llama family that finds the answer to a question in a text: where it begins and where it ends. */
export class LlamaForQuestionAnswering extends FamilyModel<LlamaConfig> {
  static readonly architecture = 'LlamaForQuestionAnswering';
  static readonly family = llama;
  readonly transformer: LlamaModel;
  readonly qaOutputs: LinearLike; // [C] -> [2]

  constructor(parts: ModelParts<LlamaConfig>) {
    super();
    if (!(parts.config.modelType in NAMES)) {
      throw new ConfigError(
        `LlamaForQuestionAnswering: model_type must be one that transformers has this head for: ` +
          `expected ${Object.keys(NAMES).join(', ')}, got ${parts.config.modelType}`,
      );
    }
    this.transformer = new LlamaModel(parts.config, parts.weights, parts.rng);
    this.qaOutputs = parts.weights.linear(parts.config.hiddenSize, 2, { bias: true });
  }

  /** Its names in config.json's `architectures`. */
  static members() {
    return llamaMembers(NAMES, 'transformer');
  }

  get config(): LlamaConfig {
    return this.transformer.config;
  }

  override get architecture(): string {
    return NAMES[this.config.modelType as keyof typeof NAMES];
  }

  /** Logits of the answer's ends, and their loss where `startPositions` and `endPositions` are given. */
  forward(input: ModelInput & SpanInput): SpanOutput {
    return scope(() => spanOutput(this.qaOutputs, this.transformer.forward(input), input));
  }
}
