import { activationOf } from '@burin/ffn';
import { Dropout, init, type Linear, Module, type Parameter } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import { type BertConfig, bertConfig } from './bert-config.js';
import { type BertInput, BertModel, type BertParts } from './bert-model.js';
import type { RawConfig } from './config-reader.js';
import { labelLoss } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';
import { type LoadOptions, loadPretrained, PretrainedModel, type SaveOptions, savePretrained } from './pretrained.js';
import { rawConfigOf } from './raw-config.js';
import { randomWeights, tiedHead, type Weights } from './weights.js';

/** Options of a BERT made in code: config.json's keys in camelCase. */
export type BertOptions = Partial<Omit<BertConfig, 'raw'>> &
  Pick<BertConfig, 'vocabSize' | 'hiddenSize' | 'intermediateSize' | 'numHiddenLayers' | 'numAttentionHeads'>;

/** What the BERT models with a head share: the encoder under its checkpoint name, and folders in and out. */
abstract class BertWithHead extends PretrainedModel {
  readonly bert: BertModel;

  constructor(bert: BertModel) {
    super();
    this.bert = bert;
  }

  get config(): BertConfig {
    return this.bert.config;
  }

  get rawConfig(): RawConfig {
    return this.config.raw;
  }

  /** Writes a Hugging Face folder. See {@link savePretrained}. */
  savePretrained(folder: string, options?: SaveOptions) {
    return savePretrained(this, folder, options);
  }
}

function newParts(options: BertOptions, rng: Generator, where: string): BertParts {
  const config = bertConfig(rawConfigOf(options), where);
  return { config, weights: randomWeights(rng, config.initializerRange), rng };
}

class BertTransform extends Module {
  readonly dense: Linear; // [C] -> [C]
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

/** BERT that gives each text one of `numLabels` classes, read at its first token through the pooler. */
export class BertForSequenceClassification extends BertWithHead {
  readonly classifier: Linear; // [C] -> [labels]
  readonly dropout: Dropout | null;
  readonly architecture = 'BertForSequenceClassification';

  constructor(parts: BertParts) {
    super(new BertModel(parts, { pooler: true }));
    const { hiddenSize, numLabels, classifierDropout } = parts.config;
    this.classifier = parts.weights.linear(hiddenSize, numLabels, { bias: true });
    this.dropout = parts.rng && classifierDropout > 0 ? new Dropout(classifierDropout, parts.rng) : null;
  }

  /** A new one with random weights. @throws ConfigError that names an option */
  static create(options: BertOptions, { rng }: { rng: Generator }): BertForSequenceClassification {
    return new BertForSequenceClassification(newParts(options, rng, 'BertForSequenceClassification.create'));
  }

  /** Reads a Hugging Face folder. @throws see {@link loadPretrained} */
  static fromPretrained(folder: string, options?: LoadOptions): Promise<BertForSequenceClassification> {
    return loadPretrained(folder, bertClassificationArchitectures, options);
  }

  /** Logits `[B, labels]`, and the loss of `labels` `[B]`. */
  forward(input: BertInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.bert.forward(input);
      const pooled = this.bert.pooler!.forward(states); // [B, C]
      const logits = this.classifier.forward(this.dropout ? this.dropout.forward(pooled) : pooled);
      return { logits, loss: labelLoss(logits, input), hiddenStates };
    });
  }
}

/** The masked language models of this family, by config.json's names. */
export const maskedLmArchitectures = [
  {
    architecture: 'BertForMaskedLM',
    fromConfig: (raw: RawConfig, weights: Weights, where?: string) =>
      new BertForMaskedLM({ config: bertConfig(raw, where), weights, rng: null }),
  },
];

/** The classifiers of this family, by config.json's names. */
export const bertClassificationArchitectures = [
  {
    architecture: 'BertForSequenceClassification',
    fromConfig: (raw: RawConfig, weights: Weights, where?: string) =>
      new BertForSequenceClassification({ config: bertConfig(raw, where), weights, rng: null }),
  },
];
