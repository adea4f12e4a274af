import { activationOf } from '@burin/ffn';
import { init, type Linear, type LinearLike, Module, type Parameter } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import { bertConfig, bertWeightCount } from './bert-config.js';
import { BertModel } from './bert-model.js';
import type { BertInput, BertParts } from './bert-parts.js';
import { type BertOptions, BertWithHead, newParts } from './bert-with-head.js';
import { labelLoss } from './heads.js';
import { type LoadOptions, loadPretrained } from './load-pretrained.js';
import type { LossInput, ModelOutput } from './model-input.js';
import type { Architecture } from './pretrained-model.js';
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

class BertPredictions extends Module {
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

  forward(x: Tensor): Tensor {
    return this.decoder.forward(this.transform.forward(x));
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
export class BertForMaskedLM extends BertWithHead {
  readonly cls: BertMlmHead;
  readonly architecture = 'BertForMaskedLM';

  constructor(parts: BertParts) {
    super(new BertModel(parts, { pooler: false }));
    this.cls = new BertMlmHead(new BertPredictions(this.bert, parts));
  }

  /** A new one with random weights. @throws ConfigError that names an option */
  static create(options: BertOptions, { rng }: { rng: Generator }): BertForMaskedLM {
    return new BertForMaskedLM(newParts(options, rng, 'BertForMaskedLM.create'));
  }

  /** Reads a Hugging Face folder. @throws see {@link loadPretrained} */
  static fromPretrained(folder: string, options?: LoadOptions): Promise<BertForMaskedLM> {
    return loadPretrained(folder, maskedLmArchitectures, options);
  }

  /** Logits `[B, T, V]`, and the loss of `labels` `[B, T]`, which are not moved. */
  forward(input: BertInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.bert.forward(input);
      const logits = this.cls.predictions.forward(states);
      return { logits, loss: labelLoss(logits, input), hiddenStates };
    });
  }
}

/** The masked language models of this family, by config.json's names. */
export const maskedLmArchitectures: readonly Architecture<BertForMaskedLM>[] = [
  {
    architecture: 'BertForMaskedLM',
    weightCount: (raw, where) => bertWeightCount(bertConfig(raw, where)),
    fromConfig: (raw, weights, where, rng) => new BertForMaskedLM({ config: bertConfig(raw, where), weights, rng }),
  },
];
