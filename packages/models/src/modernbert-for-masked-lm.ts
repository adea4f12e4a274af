import { init, type Linear } from '@burin/nn';
import { scope, type Tensor } from '@burin/tensor';
import { FamilyModel } from './family.js';
import { maskedLoss } from './head-loss.js';
import { type MaskedHead, maskedOutput } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';
import { type ModernBertConfig, modernBert } from './modernbert-config.js';
import { ModernBertPredictionHead } from './modernbert-head.js';
import { type ModernBertInput, type ModernBertParts, residualGain } from './modernbert-layer.js';
import { ModernBertModel } from './modernbert-model.js';
import { tiedHead } from './weights.js';

/** ModernBERT with its masked-language-model head: says what each token is. */
export class ModernBertForMaskedLM extends FamilyModel<ModernBertConfig> {
  static readonly architecture = 'ModernBertForMaskedLM';
  static readonly family = modernBert;
  readonly model: ModernBertModel;
  readonly head: ModernBertPredictionHead;
  readonly decoder: Linear; // [C] -> [V]; its weight is the embedding's where tied

  constructor(parts: ModernBertParts) {
    super();
    const { hiddenSize, vocabSize, decoderBias: bias, tieWordEmbeddings } = parts.config;
    this.model = new ModernBertModel(parts);
    this.head = new ModernBertPredictionHead(parts);
    this.decoder = tieWordEmbeddings
      ? tiedHead(this.model.embeddings.tokEmbeddings, bias ? init.zeros([vocabSize]) : null)
      : parts.weights.linear(hiddenSize, vocabSize, { bias, gain: residualGain(parts.config) });
  }

  get config(): ModernBertConfig {
    return this.model.config;
  }

  /** Logits `[B, T, V]`, and the loss of `labels` `[B, T]`, which are not moved. */
  forward(input: ModernBertInput & LossInput): ModelOutput {
    return scope(() => maskedOutput(this.maskedHead(), this.model.forward(input), input));
  }

  /** The loss that `forward` would return, without its logits. @throws RangeError if there are no labels */
  loss(input: ModernBertInput & LossInput): Tensor {
    return scope(() => maskedLoss('ModernBertForMaskedLM', this.maskedHead(), () => this.model.forward(input), input));
  }

  private maskedHead(): MaskedHead {
    return { hidden: (states) => this.head.forward(states), decoder: this.decoder };
  }
}
