import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { FamilyModel, type ModelParts } from './family.js';
import { lastTokenOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';
import { type Phi3Config, phi3 } from './phi3-config.js';
import { Phi3Model } from './phi3-model.js';

/** Phi-3 that gives each text one of `numLabels` classes, read at its last real token. */
export class Phi3ForSequenceClassification extends FamilyModel<Phi3Config> {
  static readonly architecture = 'Phi3ForSequenceClassification';
  static readonly family = phi3;
  readonly model: Phi3Model;
  readonly score: LinearLike; // [C] -> [labels], without a bias

  constructor(parts: ModelParts<Phi3Config>) {
    super();
    this.model = new Phi3Model(parts);
    this.score = parts.weights.linear(parts.config.hiddenSize, parts.config.numLabels, { bias: false });
  }

  get config(): Phi3Config {
    return this.model.config;
  }

  /** Logits `[B, labels]`, and the loss of int32 `labels` `[B]`. Padded texts need their `attentionMask`. */
  forward(input: ModelInput & LossInput): ModelOutput {
    return scope(() => lastTokenOutput(this.score, this.model.forward(input), input));
  }
}
