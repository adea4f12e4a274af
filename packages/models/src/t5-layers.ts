import { activationOf, gatedActivation } from '@burin/ffn';
import { type Dropout, type Embedding, type LinearLike, Module } from '@burin/nn';
import { RmsNorm } from '@burin/norm';
import type { Generator, Tensor } from '@burin/tensor';
import { type AttendSettings, attend, crossAttend } from './attend.js';
import { drop, dropoutOf } from './drop.js';
import type { ModelParts } from './family.js';
import type { T5Config } from './t5-config.js';

/** How layers are made. */
export type T5Parts = ModelParts<T5Config>;

/** What attention is given besides its states. */
type T5AttendInput = Pick<AttendSettings, 'cache' | 'attentionMask' | 'bias' | 'causal'>;

/** T5's attention: no biases, no factor on the scores. The first layer of a stack holds its table of distances. */
class T5Attention extends Module {
  readonly q: LinearLike; // [C] -> [H · D]
  readonly k: LinearLike; // [C] -> [H · D]
  readonly v: LinearLike; // [C] -> [H · D]
  readonly o: LinearLike; // [H · D] -> [C]
  readonly relativeAttentionBias: Embedding | null; // [buckets, H]
  readonly heads: number;
  readonly dropout: number;
  readonly rng: Generator | null;

  constructor({ config, weights, rng }: T5Parts, { relative }: { relative: boolean }) {
    super();
    const { hiddenSize: width, numAttentionHeads: heads, headDim } = config;
    const inner = heads * headDim;
    this.q = weights.linear(width, inner, { bias: false, gain: 1 / Math.sqrt(headDim) }); // in place of the factor
    this.k = weights.linear(width, inner, { bias: false });
    this.v = weights.linear(width, inner, { bias: false });
    this.o = weights.linear(inner, width, { bias: false, gain: Math.sqrt(width / inner) });
    this.relativeAttentionBias = relative ? weights.embedding(config.relativeAttentionNumBuckets, heads) : null;
    this.heads = heads;
    this.dropout = rng ? config.dropoutRate : 0;
    this.rng = rng;
  }

  /** Over x itself, or over a memory. */
  forward(x: Tensor, memory: Tensor | null, input: T5AttendInput): Tensor {
    const dropout = this.training ? this.dropout : 0;
    const settings = { ...input, heads: this.heads, scale: 1, dropout, rng: this.rng };
    const q = this.q.forward(x);
    const attended = memory
      ? crossAttend(q, memory, { key: this.k, value: this.v }, settings)
      : attend(q, this.k.forward(x), this.v.forward(x), settings);
    return this.o.forward(attended); // [B, T, C]
  }
}

/** `x + attention(norm(x))` */
export class T5SelfAttentionLayer extends Module {
  readonly SelfAttention: T5Attention;
  readonly layerNorm: RmsNorm;
  readonly dropout: Dropout | null;

  constructor(parts: T5Parts, options: { relative: boolean }) {
    super();
    const { hiddenSize, layerNormEpsilon: eps, dropoutRate } = parts.config;
    this.SelfAttention = new T5Attention(parts, options);
    this.layerNorm = new RmsNorm(hiddenSize, { eps });
    this.dropout = dropoutOf(dropoutRate, parts.rng);
  }

  forward(x: Tensor, input: T5AttendInput): Tensor {
    return x.add(drop(this.dropout, this.SelfAttention.forward(this.layerNorm.forward(x), null, input)));
  }
}

/** `x + attention(norm(x), memory)` */
export class T5CrossAttentionLayer extends Module {
  readonly EncDecAttention: T5Attention;
  readonly layerNorm: RmsNorm;
  readonly dropout: Dropout | null;

  constructor(parts: T5Parts) {
    super();
    const { hiddenSize, layerNormEpsilon: eps, dropoutRate } = parts.config;
    this.EncDecAttention = new T5Attention(parts, { relative: false });
    this.layerNorm = new RmsNorm(hiddenSize, { eps });
    this.dropout = dropoutOf(dropoutRate, parts.rng);
  }

  forward(x: Tensor, memory: Tensor, input: Omit<T5AttendInput, 'causal' | 'bias'>): Tensor {
    return x.add(drop(this.dropout, this.EncDecAttention.forward(this.layerNorm.forward(x), memory, input)));
  }
}

/** `wo(activation(wi(x)))`, T5 1.0; or gated, 1.1. By the same name in checkpoints. */
class T5DenseActDense extends Module {
  readonly wi: LinearLike | null; // [C] -> [F]
  readonly wi_0: LinearLike | null; // [C] -> [F], the gate
  readonly wi_1: LinearLike | null; // [C] -> [F]
  readonly wo: LinearLike; // [F] -> [C]
  readonly dropout: Dropout | null;
  readonly #config: T5Config;

  constructor({ config, weights, rng }: T5Parts) {
    super();
    const { hiddenSize: width, intermediateSize: hidden, gated } = config;
    const up = () => weights.linear(width, hidden, { bias: false });
    this.wi = gated ? null : up();
    this.wi_0 = gated ? up() : null;
    this.wi_1 = gated ? up() : null;
    this.wo = weights.linear(hidden, width, { bias: false, gain: Math.sqrt(width / hidden) });
    this.dropout = dropoutOf(config.dropoutRate, rng);
    this.#config = config;
  }

  forward(x: Tensor): Tensor {
    const { activation } = this.#config;
    const hidden = this.wi
      ? activationOf(activation)(this.wi.forward(x))
      : gatedActivation(this.wi_0!.forward(x), this.wi_1!.forward(x), activation);
    return this.wo.forward(drop(this.dropout, hidden));
  }
}

/** `x + feedForward(norm(x))` */
export class T5FeedForwardLayer extends Module {
  readonly DenseReluDense: T5DenseActDense;
  readonly layerNorm: RmsNorm;
  readonly dropout: Dropout | null;

  constructor(parts: T5Parts) {
    super();
    const { hiddenSize, layerNormEpsilon: eps, dropoutRate } = parts.config;
    this.DenseReluDense = new T5DenseActDense(parts);
    this.layerNorm = new RmsNorm(hiddenSize, { eps });
    this.dropout = dropoutOf(dropoutRate, parts.rng);
  }

  forward(x: Tensor): Tensor {
    return x.add(drop(this.dropout, this.DenseReluDense.forward(this.layerNorm.forward(x))));
  }
}
