import { activationOf } from '@burin/ffn';
import { init, type Linear, type LinearLike, Module, type Parameter } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { scope, type Tensor } from '@burin/tensor';
import { type BertConfig, bert } from './bert-config.js';
import { BertModel } from './bert-model.js';
import type { BertInput, BertParts } from './bert-parts.js';
import { FamilyModel } from './family.js';
import { maskedLoss } from './head-loss.js';
import { type MaskedHead, maskedOutput } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';
import { tiedHead } from './weights.js';

class BertTransform extends Module {
  readonly dense: LinearLike; // [C] -> [C]
  readonly LayerNorm: LayerNorm;
  readonly #activation: (x: Tensor) => Tensor;

  constructor({ config, weights }: BertParts) {
    super();
    this.dense = weights.linear(config.hiddenSize, config.hiddenSize, { bias: true });
    this.LayerNorm = new LayerNorm(config.hiddenSize, { eps: config.layerNormEps });
    this.#activation = activationOf(config.hiddenAct);
  }

  forward(x: Tensor): Tensor {
    return this.LayerNorm.forward(this.#activation(this.dense.forward(x)));
  }
}

class BertPredictions extends Module implements MaskedHead {
  readonly transform: BertTransform;
  readonly bias: Parameter; // [V]
  readonly decoder: Linear; // [C] -> [V]; weight and bias may be shared

  constructor(bert: BertModel, parts: BertParts) {
    super();
    const { hiddenSize, vocabSize, tieWordEmbeddings } = parts.config;
    this.transform = new BertTransform(parts);
    this.bias = init.zeros([vocabSize]);
    const words = bert.embeddings.wordEmbeddings;
    this.decoder = tieWordEmbeddings
      ? tiedHead(words, this.bias)
      : tiedHead(parts.weights.embedding(vocabSize, hiddenSize), this.bias);
  }

  hidden(states: Tensor): Tensor {
    return this.transform.forward(states);
  }
}

class BertMlmHead extends Module {
  readonly predictions: BertPredictions;

  constructor(predictions: BertPredictions) {
    super();
    this.predictions = predictions;
  }
}

/** BERT with its masked-language-model head: says what each token is. */
export class BertForMaskedLM extends FamilyModel<BertConfig> {
  static readonly architecture = 'BertForMaskedLM';
  static readonly family = bert;
  readonly bert: BertModel;
  readonly cls: BertMlmHead;

  constructor(parts: BertParts) {
    super();
    this.bert = new BertModel(parts, { pooler: false });
    this.cls = new BertMlmHead(new BertPredictions(this.bert, parts));
  }

  get config(): BertConfig {
    return this.bert.config;
  }

  /** Logits `[B, T, V]`, and the loss of `labels` `[B, T]`, which are not moved. */
  forward(input: BertInput & LossInput): ModelOutput {
    return scope(() => maskedOutput(this.cls.predictions, this.bert.forward(input), input));
  }
  /** The loss that `forward` would return, without its logits. @throws RangeError if there are no labels */
  loss(input: BertInput & LossInput): Tensor {
    return scope(() => maskedLoss('BertForMaskedLM', this.cls.predictions, () => this.bert.forward(input), input));
  }
}
