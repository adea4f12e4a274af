import { scaledDotProductAttention } from '@burin/attention';
import { activationOf } from '@burin/ffn';
import { type Dropout, type LinearLike, Module } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import type { BertInput, BertParts } from './bert-parts.js';
import { drop, dropoutOf } from './drop.js';

/** A linear, dropped out, added to what went in before, normed: the end of both halves of a layer. */
class BertOutput extends Module {
  readonly dense: LinearLike;
  readonly LayerNorm: LayerNorm;
  readonly dropout: Dropout | null;

  constructor(inner: number, { config, weights, rng }: BertParts) {
    super();
    this.dense = weights.linear(inner, config.hiddenSize, { bias: true });
    this.LayerNorm = new LayerNorm(config.hiddenSize, { eps: config.layerNormEps });
    this.dropout = dropoutOf(config.hiddenDropoutProb, rng);
  }

  forward(x: Tensor, residual: Tensor): Tensor {
    return this.LayerNorm.forward(drop(this.dropout, this.dense.forward(x)).add(residual));
  }
}

class BertSelfAttention extends Module {
  readonly query: LinearLike; // [C] -> [H · D]
  readonly key: LinearLike;
  readonly value: LinearLike;
  readonly heads: number;
  readonly dropout: number;
  readonly rng: Generator | null;

  constructor({ config, weights, rng }: BertParts) {
    super();
    const { hiddenSize: width } = config;
    this.query = weights.linear(width, width, { bias: true });
    this.key = weights.linear(width, width, { bias: true });
    this.value = weights.linear(width, width, { bias: true });
    this.heads = config.numAttentionHeads;
    this.dropout = rng ? config.attentionProbsDropoutProb : 0;
    this.rng = rng;
  }

  forward(x: Tensor, { attentionMask = null, segments = null }: BertInput): Tensor {
    const [B, T, C] = x.shape as [number, number, number];
    const split = (projected: Tensor) => projected.reshape([B, T, this.heads, C / this.heads]); // [B, T, H, D]
    const [q, k, v] = [this.query, this.key, this.value].map((linear) => split(linear.forward(x)));
    return scaledDotProductAttention(q!, k!, v!, {
      layout: 'bthd',
      keyPaddingMask: attentionMask,
      segments,
      dropout: this.training ? this.dropout : 0,
      rng: this.rng,
    }).reshape([B, T, C]);
  }
}

class BertAttention extends Module {
  readonly self: BertSelfAttention;
  readonly output: BertOutput;

  constructor(parts: BertParts) {
    super();
    this.self = new BertSelfAttention(parts);
    this.output = new BertOutput(parts.config.hiddenSize, parts);
  }

  forward(x: Tensor, input: BertInput): Tensor {
    return this.output.forward(this.self.forward(x, input), x);
  }
}

class BertIntermediate extends Module {
  readonly dense: LinearLike; // [C] -> [F]

  constructor({ config, weights }: BertParts) {
    super();
    this.dense = weights.linear(config.hiddenSize, config.intermediateSize, { bias: true });
  }
}

/** A post-norm block: attention and feed-forward, each added to its input and then normed. */
export class BertLayer extends Module {
  readonly attention: BertAttention;
  readonly intermediate: BertIntermediate;
  readonly output: BertOutput;
  readonly #activation: (x: Tensor) => Tensor;

  constructor(parts: BertParts) {
    super();
    this.attention = new BertAttention(parts);
    this.intermediate = new BertIntermediate(parts);
    this.output = new BertOutput(parts.config.intermediateSize, parts);
    this.#activation = activationOf(parts.config.hiddenAct);
  }

  forward(x: Tensor, input: BertInput): Tensor {
    return scope(() => {
      const attended = this.attention.forward(x, input);
      const hidden = this.#activation(this.intermediate.dense.forward(attended)); // [B, T, F]
      return this.output.forward(hidden, attended);
    });
  }
}
