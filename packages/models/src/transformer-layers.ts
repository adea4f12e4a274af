import { activationOf } from '@burin/ffn';
import { type Dropout, type LinearLike, Module, type Parameter } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { type Generator, linear, scope, type Tensor } from '@burin/tensor';
import { type AttendSettings, attend, crossAttend } from './attend.js';
import { drop, dropoutOf } from './drop.js';
import type { ModelParts } from './family.js';
import type { DecoderInput } from './seq2seq-model.js';
import type { TransformerConfig } from './transformer-config.js';

/** How layers are made. */
export type TransformerParts = ModelParts<TransformerConfig>;

/** PyTorch's `MultiheadAttention`: queries, keys and values are stacked in one weight. */
class StackedAttention extends Module {
  readonly in_proj_weight: Parameter; // [3 · C, C]
  readonly in_proj_bias: Parameter; // [3 · C]
  readonly outProj: LinearLike; // [C] -> [C]
  readonly heads: number;
  readonly dropout: number;
  readonly rng: Generator | null;

  constructor({ config, weights, rng }: TransformerParts) {
    super();
    const { hiddenSize: width } = config;
    this.in_proj_weight = weights.parameter([3 * width, width]);
    this.in_proj_bias = weights.parameter([3 * width], { gain: 0 });
    this.outProj = weights.linear(width, width, { bias: true });
    this.heads = config.numAttentionHeads;
    this.dropout = rng ? config.dropout : 0;
    this.rng = rng;
  }

  /** Over x itself, or over a memory. */
  forward(x: Tensor, memory: Tensor | null, input: Pick<AttendSettings, 'cache' | 'attentionMask' | 'causal'>): Tensor {
    const settings = { ...input, heads: this.heads, dropout: this.training ? this.dropout : 0, rng: this.rng };
    const [query, key, value] = [0, 1, 2].map((part) => ({ forward: (input: Tensor) => this.project(input, part) }));
    const q = query!.forward(x);
    const attended = memory
      ? crossAttend(q, memory, { key: key!, value: value! }, settings)
      : attend(q, key!.forward(x), value!.forward(x), settings);
    return this.outProj.forward(attended); // [B, T, C]
  }

  private project(x: Tensor, part: number): Tensor {
    const width = x.shape[2]!;
    const rowsOf = (stacked: Tensor) => stacked.narrow(0, part * width, width);
    return linear(x, rowsOf(this.in_proj_weight), rowsOf(this.in_proj_bias));
  }
}

/** What layers of both stacks have: attention to their own tokens, and a feed-forward block, each normed after, or before. */
abstract class TransformerLayer extends Module {
  readonly selfAttn: StackedAttention;
  readonly linear1: LinearLike; // [C] -> [F]
  readonly linear2: LinearLike; // [F] -> [C]
  readonly norm1: LayerNorm;
  readonly norm2: LayerNorm;
  readonly dropout: Dropout | null;
  readonly normFirst: boolean;
  readonly #activation: (x: Tensor) => Tensor;

  constructor(parts: TransformerParts) {
    super();
    const { config, weights, rng } = parts;
    const { hiddenSize: width, intermediateSize: hidden, layerNormEps: eps } = config;
    this.selfAttn = new StackedAttention(parts);
    this.linear1 = weights.linear(width, hidden, { bias: true });
    this.linear2 = weights.linear(hidden, width, { bias: true });
    this.norm1 = new LayerNorm(width, { eps });
    this.norm2 = new LayerNorm(width, { eps });
    this.dropout = dropoutOf(config.dropout, rng);
    this.normFirst = config.normFirst;
    this.#activation = activationOf(config.activation);
  }

  /** `norm(x + f(x))`, or, norm first, `x + f(norm(x))`; some of f's result is dropped. */
  protected residual(x: Tensor, norm: LayerNorm, f: (x: Tensor) => Tensor): Tensor {
    if (this.normFirst) return x.add(drop(this.dropout, f(norm.forward(x))));
    return norm.forward(x.add(drop(this.dropout, f(x))));
  }

  protected feedForward(x: Tensor): Tensor {
    return this.linear2.forward(drop(this.dropout, this.#activation(this.linear1.forward(x))));
  }
}

/** A block of the encoder. */
export class TransformerEncoderLayer extends TransformerLayer {
  forward(x: Tensor, attentionMask: Tensor | null): Tensor {
    return scope(() => {
      const h = this.residual(x, this.norm1, (states) => this.selfAttn.forward(states, null, { attentionMask }));
      return this.residual(h, this.norm2, (states) => this.feedForward(states));
    });
  }
}

/** A block of the decoder, which attends to the encoder's states too. */
export class TransformerDecoderLayer extends TransformerLayer {
  readonly multiheadAttn: StackedAttention;
  readonly norm3: LayerNorm;
  readonly #index: number;

  constructor(parts: TransformerParts, index: number) {
    super(parts);
    this.multiheadAttn = new StackedAttention(parts);
    this.norm3 = new LayerNorm(parts.config.hiddenSize, { eps: parts.config.layerNormEps });
    this.#index = index;
  }

  forward(x: Tensor, input: DecoderInput): Tensor {
    const { attentionMask = null, memory, memoryMask = null } = input;
    const own = { attentionMask, cache: input.cache?.[this.#index] ?? null, causal: true };
    const other = { attentionMask: memoryMask, cache: input.memoryCache?.[this.#index] ?? null };
    return scope(() => {
      const h = this.residual(x, this.norm1, (states) => this.selfAttn.forward(states, null, own));
      const read = this.residual(h, this.norm2, (states) => this.multiheadAttn.forward(states, memory, other));
      return this.residual(read, this.norm3, (states) => this.feedForward(states));
    });
  }
}
