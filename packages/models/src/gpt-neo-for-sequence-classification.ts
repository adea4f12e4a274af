import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { FamilyModel, type ModelParts } from './family.js';
import { type GPTNeoConfig, gptNeo } from './gpt-neo-config.js';
import { GPTNeoModel } from './gpt-neo-model.js';
import { lastTokenOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';

/** GPT-Neo that gives each text one of `numLabels` classes, read at its last real token. */
export class GPTNeoForSequenceClassification extends FamilyModel<GPTNeoConfig> {
  static readonly architecture = 'GPTNeoForSequenceClassification';
  static readonly family = gptNeo;
  readonly transformer: GPTNeoModel;
  readonly score: LinearLike; // [C] -> [labels], without a bias

  constructor(parts: ModelParts<GPTNeoConfig>) {
    super();
    this.transformer = new GPTNeoModel(parts);
    this.score = parts.weights.linear(parts.config.hiddenSize, parts.config.numLabels, { bias: false });
  }

  get config(): GPTNeoConfig {
    return this.transformer.config;
  }

  /** Logits `[B, labels]`, and the loss of int32 `labels` `[B]`. Padded texts need their `attentionMask`. */
  forward(input: ModelInput & LossInput): ModelOutput {
    return scope(() => lastTokenOutput(this.score, this.transformer.forward(input), input));
  }
}
