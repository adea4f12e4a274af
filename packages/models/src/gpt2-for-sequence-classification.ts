import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { FamilyModel, type ModelParts } from './family.js';
import { type Gpt2Config, gpt2 } from './gpt2-config.js';
import { GPT2Model } from './gpt2-model.js';
import { lastTokenOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';

/** GPT-2 that gives each text one of `numLabels` classes, read at its last real token. */
export class GPT2ForSequenceClassification extends FamilyModel<Gpt2Config> {
  static readonly architecture = 'GPT2ForSequenceClassification';
  static readonly family = gpt2;
  readonly transformer: GPT2Model;
  readonly score: LinearLike; // [C] -> [labels], without a bias

  constructor(parts: ModelParts<Gpt2Config>) {
    super();
    this.transformer = new GPT2Model(parts);
    this.score = parts.weights.linear(parts.config.hiddenSize, parts.config.numLabels, { bias: false });
  }

  get config(): Gpt2Config {
    return this.transformer.config;
  }

  /** Logits `[B, labels]`, and the loss of int32 `labels` `[B]`. Padded texts need their `attentionMask`. */
  forward(input: ModelInput & LossInput): ModelOutput {
    return scope(() => lastTokenOutput(this.score, this.transformer.forward(input), input));
  }
}
