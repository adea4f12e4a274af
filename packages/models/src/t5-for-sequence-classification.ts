import { scope } from '@burin/tensor';
import { FamilyModel } from './family.js';
import { lastTokenOutput } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';
import { Seq2SeqClassificationHead } from './seq2seq-classification-head.js';
import { type Seq2SeqTextInput, textStates } from './seq2seq-text.js';
import { type T5Config, t5Body } from './t5-config.js';
import type { T5Parts } from './t5-layers.js';
import { T5Model } from './t5-model.js';

/**
 * T5 that gives each text one of `numLabels` classes. Encoder and decoder both read it, and the decoder's state at its
 * last real token says which: transformers takes the last end token, so texts should end with one, as tokenizers do.
 */
export class T5ForSequenceClassification extends FamilyModel<T5Config> {
  static readonly architecture = 'T5ForSequenceClassification';
  static readonly family = t5Body;
  readonly transformer: T5Model;
  readonly classificationHead: Seq2SeqClassificationHead;

  constructor(parts: T5Parts) {
    super();
    this.transformer = new T5Model(parts);
    this.classificationHead = new Seq2SeqClassificationHead(parts.config, parts.weights, parts.rng);
  }

  get config(): T5Config {
    return this.transformer.config;
  }

  /** Logits `[B, labels]`, and the loss of int32 `labels` `[B]`. Texts are padded on the right. */
  forward(input: Seq2SeqTextInput & LossInput): ModelOutput {
    return scope(() => lastTokenOutput(this.classificationHead, textStates(this.transformer, input), input));
  }
}
