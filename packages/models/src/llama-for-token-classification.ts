import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel, type ModelParts } from './family.js';
import { labelledOutput } from './heads.js';
import type { LlamaConfig, LlamaModelType } from './llama-config.js';
import { llama, llamaMembers } from './llama-family.js';
import { LlamaModel } from './llama-model.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';

const NAMES = {
  llama: 'LlamaForTokenClassification',
  mistral: 'MistralForTokenClassification',
  qwen2: 'Qwen2ForTokenClassification',
  qwen3: 'Qwen3ForTokenClassification',
  gemma: 'GemmaForTokenClassification',
} as const satisfies Record<LlamaModelType, string>;

/** A decoder of the Llama family that gives each token one of `numLabels` classes; a token sees those before it. */
export class LlamaForTokenClassification extends FamilyModel<LlamaConfig> {
  static readonly architecture = 'LlamaForTokenClassification';
  static readonly family = llama;
  readonly model: LlamaModel;
  readonly score: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;

  constructor(parts: ModelParts<LlamaConfig>) {
    super();
    const { hiddenSize, numLabels, classifierDropout } = parts.config;
    this.model = new LlamaModel(parts.config, parts.weights, parts.rng);
    this.score = parts.weights.linear(hiddenSize, numLabels, { bias: true });
    this.dropout = dropoutOf(classifierDropout, parts.rng);
  }

  /** Its names in config.json's `architectures`. */
  static members() {
    return llamaMembers(NAMES, 'model');
  }

  get config(): LlamaConfig {
    return this.model.config;
  }

  override get architecture(): string {
    return NAMES[this.config.modelType];
  }

  /** Logits `[B, T, labels]`, and the loss of `labels` `[B, T]`, which are not moved; −100 has none. */
  forward(input: ModelInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.model.forward(input);
      return labelledOutput(this.score, { states: drop(this.dropout, states), hiddenStates }, input);
    });
  }
}
