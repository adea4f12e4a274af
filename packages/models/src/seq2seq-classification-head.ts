import { type Dropout, type LinearLike, Module } from '@burin/nn';
import type { Generator, Tensor } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import type { Weights } from './weights.js';

/** What T5 and BART make of a text's last state: `outProj(tanh(dense(x)))`, `[B, C] -> [B, labels]`. */
export class Seq2SeqClassificationHead extends Module {
  readonly dense: LinearLike; // [C] -> [C]
  readonly outProj: LinearLike; // [C] -> [labels]
  readonly dropout: Dropout | null;

  constructor(
    { hiddenSize, numLabels, classifierDropout }: { hiddenSize: number; numLabels: number; classifierDropout: number },
    weights: Weights,
    rng: Generator | null,
  ) {
    super();
    this.dense = weights.linear(hiddenSize, hiddenSize, { bias: true });
    this.outProj = weights.linear(hiddenSize, numLabels, { bias: true });
    this.dropout = dropoutOf(classifierDropout, rng);
  }

  forward(x: Tensor): Tensor {
    const hidden = this.dense.forward(drop(this.dropout, x)).tanh();
    return this.outProj.forward(drop(this.dropout, hidden));
  }
}
