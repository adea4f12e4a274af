import type { LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { FamilyModel } from './family.js';
import { firstTokenStates, labelLoss } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';
import { type ViTConfig, vit } from './vit-config.js';
import { type ViTInput, ViTModel, type ViTParts } from './vit-model.js';

/** ViT that gives each image one of `numLabels` classes, read at its class token. */
export class ViTForImageClassification extends FamilyModel<ViTConfig> {
  static readonly architecture = 'ViTForImageClassification';
  static readonly family = vit;
  readonly vit: ViTModel;
  readonly classifier: LinearLike; // [C] -> [labels]

  constructor(parts: ViTParts) {
    super();
    this.vit = new ViTModel(parts);
    this.classifier = parts.weights.linear(parts.config.hiddenSize, parts.config.numLabels, { bias: true });
  }

  get config(): ViTConfig {
    return this.vit.config;
  }

  /** Logits `[B, labels]`, and the loss of int32 `labels` `[B]`. */
  forward(input: ViTInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.vit.forward(input);
      const logits = this.classifier.forward(firstTokenStates(states));
      return { logits, loss: labelLoss(logits, input), hiddenStates };
    });
  }
}
