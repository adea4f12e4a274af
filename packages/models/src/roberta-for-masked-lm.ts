import { type Embedding, init, type Linear, type LinearLike, Module, type Parameter } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { gelu, scope, type Tensor } from '@burin/tensor';
import { type BertConfig, roberta } from './bert-config.js';
import { BertModel } from './bert-model.js';
import type { BertInput, BertParts } from './bert-parts.js';
import { FamilyModel } from './family.js';
import { maskedLoss } from './head-loss.js';
import { type MaskedHead, maskedOutput } from './heads.js';
import type { LossInput, ModelOutput } from './model-input.js';
import { tiedHead } from './weights.js';

class RobertaLmHead extends Module implements MaskedHead {
  readonly dense: LinearLike; // [C] -> [C]
  readonly layerNorm: LayerNorm;
  readonly bias: Parameter; // [V]
  readonly decoder: Linear; // [C] -> [V]; its bias is the one above, its weight the embedding's where tied

  constructor(words: Embedding, { config, weights }: BertParts) {
    super();
    const { hiddenSize, vocabSize, layerNormEps: eps, tieWordEmbeddings } = config;
    this.dense = weights.linear(hiddenSize, hiddenSize, { bias: true });
    this.layerNorm = new LayerNorm(hiddenSize, { eps });
    this.bias = init.zeros([vocabSize]);
    this.decoder = tiedHead(tieWordEmbeddings ? words : weights.embedding(vocabSize, hiddenSize), this.bias);
  }

  hidden(states: Tensor): Tensor {
    return this.layerNorm.forward(gelu(this.dense.forward(states)));
  }
}

/** RoBERTa with its masked-language-model head: says what each token is. */
export class RobertaForMaskedLM extends FamilyModel<BertConfig> {
  static readonly architecture = 'RobertaForMaskedLM';
  static readonly family = roberta;
  readonly roberta: BertModel;
  readonly lmHead: RobertaLmHead;

  constructor(parts: BertParts) {
    super();
    this.roberta = new BertModel(parts, { pooler: false });
    this.lmHead = new RobertaLmHead(this.roberta.embeddings.wordEmbeddings, parts);
  }

  get config(): BertConfig {
    return this.roberta.config;
  }

  /** Logits `[B, T, V]`, and the loss of `labels` `[B, T]`, which are not moved. */
  forward(input: BertInput & LossInput): ModelOutput {
    return scope(() => maskedOutput(this.lmHead, this.roberta.forward(input), input));
  }
  /** The loss that `forward` would return, without its logits. @throws RangeError if there are no labels */
  loss(input: BertInput & LossInput): Tensor {
    return scope(() => maskedLoss('RobertaForMaskedLM', this.lmHead, () => this.roberta.forward(input), input));
  }
}
