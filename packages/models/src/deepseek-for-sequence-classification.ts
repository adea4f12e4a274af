import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { type DeepseekV2Config, deepseekV2 } from './deepseek-config.js';
import { DeepseekV2Model } from './deepseek-model.js';
import { FamilyModel, type ModelParts } from './family.js';
import { lastTokenOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';

/** DeepSeek-V2 that gives each text one of `numLabels` classes, read at its last real token. */
export class DeepseekV2ForSequenceClassification extends FamilyModel<DeepseekV2Config> {
  static readonly architecture = 'DeepseekV2ForSequenceClassification';
  static readonly family = deepseekV2;
  readonly model: DeepseekV2Model;
  readonly score: LinearLike; // [C] -> [labels], without a bias

  constructor(parts: ModelParts<DeepseekV2Config>) {
    super();
    this.model = new DeepseekV2Model(parts);
    this.score = parts.weights.linear(parts.config.hiddenSize, parts.config.numLabels, { bias: false });
  }

  get config(): DeepseekV2Config {
    return this.model.config;
  }

  /** Logits `[B, labels]`, and the loss of int32 `labels` `[B]`. Padded texts need their `attentionMask`. */
  forward(input: ModelInput & LossInput): ModelOutput {
    return scope(() => lastTokenOutput(this.score, this.model.forward(input), input));
  }
}
