import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { FamilyModel, type ModelParts } from './family.js';
import { type GPTNeoXConfig, gptNeoX } from './gpt-neox-config.js';
import { GPTNeoXModel } from './gpt-neox-model.js';
import { lastTokenOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';

/** GPT-NeoX that gives each text one of `numLabels` classes, read at its last real token. */
export class GPTNeoXForSequenceClassification extends FamilyModel<GPTNeoXConfig> {
  static readonly architecture = 'GPTNeoXForSequenceClassification';
  static readonly family = gptNeoX;
  readonly gpt_neox: GPTNeoXModel;
  readonly score: LinearLike; // [C] -> [labels], without a bias

  constructor(parts: ModelParts<GPTNeoXConfig>) {
    super();
    this.gpt_neox = new GPTNeoXModel(parts);
    this.score = parts.weights.linear(parts.config.hiddenSize, parts.config.numLabels, { bias: false });
  }

  get config(): GPTNeoXConfig {
    return this.gpt_neox.config;
  }

  /** Logits `[B, labels]`, and the loss of int32 `labels` `[B]`. Padded texts need their `attentionMask`. */
  forward(input: ModelInput & LossInput): ModelOutput {
    return scope(() => lastTokenOutput(this.score, this.gpt_neox.forward(input), input));
  }
}
