import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel, type ModelParts } from './family.js';
import { type GPTNeoXConfig, gptNeoX } from './gpt-neox-config.js';
import { GPTNeoXModel } from './gpt-neox-model.js';
import { labelledOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';

/** GPT-NeoX that gives each token one of `numLabels` classes; a token sees those before it. */
export class GPTNeoXForTokenClassification extends FamilyModel<GPTNeoXConfig> {
  static readonly architecture = 'GPTNeoXForTokenClassification';
  static readonly family = gptNeoX;
  readonly gpt_neox: GPTNeoXModel;
  readonly classifier: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;

  constructor(parts: ModelParts<GPTNeoXConfig>) {
    super();
    const { hiddenSize, numLabels, classifierDropout } = parts.config;
    this.gpt_neox = new GPTNeoXModel(parts);
    this.classifier = parts.weights.linear(hiddenSize, numLabels, { bias: true });
    this.dropout = dropoutOf(classifierDropout, parts.rng);
  }

  get config(): GPTNeoXConfig {
    return this.gpt_neox.config;
  }

  /** Logits `[B, T, labels]`, and the loss of `labels` `[B, T]`, which are not moved; −100 has none. */
  forward(input: ModelInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.gpt_neox.forward(input);
      return labelledOutput(this.classifier, { states: drop(this.dropout, states), hiddenStates }, input);
    });
  }
}
