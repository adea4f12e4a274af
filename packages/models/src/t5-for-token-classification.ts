import type { Dropout, LinearLike } from '@burin/nn';
import { scope } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel } from './family.js';
import { labelledOutput } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';
import type { EncoderInput } from './seq2seq-model.js';
import { type T5Config, t5Encoder } from './t5-config.js';
import type { T5Parts } from './t5-layers.js';
import { T5EncoderModel } from './t5-model.js';

/** T5's encoder that gives each token one of `numLabels` classes. */
export class T5ForTokenClassification extends FamilyModel<T5Config> {
  static readonly architecture = 'T5ForTokenClassification';
  static readonly family = t5Encoder;
  readonly transformer: T5EncoderModel;
  readonly classifier: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;

  constructor(parts: T5Parts) {
    super();
    const { hiddenSize, numLabels, classifierDropout } = parts.config;
    this.transformer = new T5EncoderModel(parts);
    this.classifier = parts.weights.linear(hiddenSize, numLabels, { bias: true });
    this.dropout = dropoutOf(classifierDropout, parts.rng);
  }

  get config(): T5Config {
    return this.transformer.config;
  }

  /** Logits `[B, T, labels]`, and the loss of `labels` `[B, T]`; −100 has none. */
  forward(input: EncoderInput & LossInput): ModelOutput {
    return scope(() => {
      const { states, hiddenStates } = this.transformer.forward(input);
      return labelledOutput(this.classifier, { states: drop(this.dropout, states), hiddenStates }, input);
    });
  }
}
