import type { Dropout, LinearLike } from '@burin/nn';
import { type Generator, scope } from '@burin/tensor';
import { bertConfig, bertWeightCount } from './bert-config.js';
import { BertModel } from './bert-model.js';
import type { BertInput, BertParts } from './bert-parts.js';
import { type BertOptions, BertWithHead, newParts } from './bert-with-head.js';
import { drop, dropoutOf } from './drop.js';
import { labelLoss } from './heads.js';
import { type LoadOptions, loadPretrained } from './load-pretrained.js';
import type { LossInput, ModelOutput } from './model-input.js';
import type { Architecture } from './pretrained-model.js';

/** BERT that gives each text one of `numLabels` classes, read at its first token through the pooler. */
export class BertForSequenceClassification extends BertWithHead {
  readonly classifier: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;
  readonly architecture = 'BertForSequenceClassification';

  constructor(parts: BertParts) {
    super(new BertModel(parts, { pooler: true }));
    const { hiddenSize, numLabels, classifierDropout } = parts.config;
    this.classifier = parts.weights.linear(hiddenSize, numLabels, { bias: true });
    this.dropout = dropoutOf(classifierDropout, parts.rng);
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
      const logits = this.classifier.forward(drop(this.dropout, pooled));
      return { logits, loss: labelLoss(logits, input), hiddenStates };
    });
  }
}

/** The classifiers of this family, by config.json's names. */
export const bertClassificationArchitectures: readonly Architecture<BertForSequenceClassification>[] = [
  {
    architecture: 'BertForSequenceClassification',
    weightCount: (raw, where) => bertWeightCount(bertConfig(raw, where)),
    fromConfig: (raw, weights, where, rng) =>
      new BertForSequenceClassification({ config: bertConfig(raw, where), weights, rng }),
  },
];
