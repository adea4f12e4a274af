import { scope } from '@burin/tensor';
import { type BartConfig, bart } from './bart-config.js';
import type { BartParts } from './bart-layers.js';
import { BartModel } from './bart-model.js';
import { FamilyModel } from './family.js';
import { lastTokenOutput } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';
import { Seq2SeqClassificationHead } from './seq2seq-classification-head.js';
import { type Seq2SeqTextInput, textStates } from './seq2seq-text.js';

/**
 * BART that gives each text one of `numLabels` classes. Encoder and decoder both read it, and the decoder's state at its
 * last real token says which: transformers takes the last end token, so texts should end with one, as tokenizers do.
 */
export class BartForSequenceClassification extends FamilyModel<BartConfig> {
  static readonly architecture = 'BartForSequenceClassification';
  static readonly family = bart;
  readonly model: BartModel;
  readonly classificationHead: Seq2SeqClassificationHead;

  constructor(parts: BartParts) {
    super();
    this.model = new BartModel(parts);
    this.classificationHead = new Seq2SeqClassificationHead(parts.config, parts.weights, parts.rng);
  }

  get config(): BartConfig {
    return this.model.config;
  }

  /** Logits `[B, labels]`, and the loss of int32 `labels` `[B]`. Texts are padded on the right. */
  forward(input: Seq2SeqTextInput & LossInput): ModelOutput {
    return scope(() => lastTokenOutput(this.classificationHead, textStates(this.model, input), input));
  }
}
