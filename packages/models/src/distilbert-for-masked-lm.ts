import { activationOf } from '@burin/ffn';
import { init, type Linear, type LinearLike } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { scope, type Tensor } from '@burin/tensor';
import { type DistilBertConfig, distilbert } from './distilbert-config.js';
import { type DistilBertInput, DistilBertModel, type DistilBertParts } from './distilbert-model.js';
import { FamilyModel } from './family.js';
import { maskedLoss } from './head-loss.js';
import { type MaskedHead, maskedOutput } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';
import { tiedHead } from './weights.js';

/** DistilBERT with its masked-language-model head: says what each token is. */
export class DistilBertForMaskedLM extends FamilyModel<DistilBertConfig> {
  static readonly architecture = 'DistilBertForMaskedLM';
  static readonly family = distilbert;
  readonly distilbert: DistilBertModel;
  readonly vocabTransform: LinearLike; // [C] -> [C]
  readonly vocabLayerNorm: LayerNorm;
  readonly vocabProjector: Linear; // [C] -> [V]; its weight is the embedding's where tied

  constructor(parts: DistilBertParts) {
    super();
    const { config, weights } = parts;
    const { hiddenSize, vocabSize } = config;
    this.distilbert = new DistilBertModel(parts);
    this.vocabTransform = weights.linear(hiddenSize, hiddenSize, { bias: true });
    this.vocabLayerNorm = new LayerNorm(hiddenSize, { eps: 1e-12 });
    this.vocabProjector = config.tieWordEmbeddings
      ? tiedHead(this.distilbert.embeddings.wordEmbeddings, init.zeros([vocabSize]))
      : weights.linear(hiddenSize, vocabSize, { bias: true });
  }

  get config(): DistilBertConfig {
    return this.distilbert.config;
  }

  /** Logits `[B, T, V]`, and the loss of `labels` `[B, T]`, which are not moved. */
  forward(input: DistilBertInput & LossInput): ModelOutput {
    return scope(() => maskedOutput(this.head(), this.distilbert.forward(input), input));
  }

  /** The loss that `forward` would return, without its logits. @throws RangeError if there are no labels */
  loss(input: DistilBertInput & LossInput): Tensor {
    return scope(() => maskedLoss('DistilBertForMaskedLM', this.head(), () => this.distilbert.forward(input), input));
  }

  private head(): MaskedHead {
    const activation = activationOf(this.config.activation);
    const hidden = (states: Tensor) => this.vocabLayerNorm.forward(activation(this.vocabTransform.forward(states)));
    return { hidden, decoder: this.vocabProjector };
  }
}
