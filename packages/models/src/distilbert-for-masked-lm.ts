import { activationOf } from '@burin/ffn';
import { init, type Linear, type LinearLike } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { scope } from '@burin/tensor';
import { type DistilBertConfig, distilbert } from './distilbert-config.js';
import { type DistilBertInput, DistilBertModel, type DistilBertParts } from './distilbert-model.js';
import { FamilyModel } from './family.js';
import { labelledOutput } from './heads.js';
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
    return scope(() => {
      const { states, hiddenStates } = this.distilbert.forward(input);
      const activation = activationOf(this.config.activation);
      const hidden = this.vocabLayerNorm.forward(activation(this.vocabTransform.forward(states)));
      return labelledOutput(this.vocabProjector, { states: hidden, hiddenStates }, input);
    });
  }
}
