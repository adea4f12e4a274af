import { activationOf } from '@burin/ffn';
import { type Dropout, type LinearLike, Module } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import { type AttendSettings, attend, crossAttend } from './attend.js';
import type { BartConfig, BartStackConfig } from './bart-config.js';
import { drop, dropoutOf } from './drop.js';
import type { ModelParts } from './family.js';
import type { DecoderInput } from './seq2seq-model.js';

/** How layers are made. */
export type BartParts = ModelParts<BartConfig>;

class BartAttention extends Module {
  readonly kProj: LinearLike; // [C] -> [C]
  readonly vProj: LinearLike;
  readonly qProj: LinearLike;
  readonly outProj: LinearLike;
  readonly heads: number;
  readonly dropout: number;
  readonly rng: Generator | null;

  constructor({ config, weights, rng }: BartParts, heads: number) {
    super();
    const linear = () => weights.linear(config.hiddenSize, config.hiddenSize, { bias: true });
    this.kProj = linear();
    this.vProj = linear();
    this.qProj = linear();
    this.outProj = linear();
    this.heads = heads;
    this.dropout = rng ? config.attentionDropout : 0;
    this.rng = rng;
  }

  /** Over x itself, or over a memory. */
  forward(x: Tensor, memory: Tensor | null, input: Pick<AttendSettings, 'cache' | 'attentionMask' | 'causal'>): Tensor {
    const settings = { ...input, heads: this.heads, dropout: this.training ? this.dropout : 0, rng: this.rng };
    const q = this.qProj.forward(x);
    const attended = memory
      ? crossAttend(q, memory, { key: this.kProj, value: this.vProj }, settings)
      : attend(q, this.kProj.forward(x), this.vProj.forward(x), settings);
    return this.outProj.forward(attended); // [B, T, C]
  }
}

/** What layers of both sides have: attention to their own tokens, and a feed-forward block, each normed after. */
abstract class BartLayer extends Module {
  readonly selfAttn: BartAttention;
  readonly selfAttnLayerNorm: LayerNorm;
  readonly fc1: LinearLike; // [C] -> [F]
  readonly fc2: LinearLike; // [F] -> [C]
  readonly finalLayerNorm: LayerNorm;
  readonly dropout: Dropout | null;
  readonly activationDropout: Dropout | null;
  readonly #activation: (x: Tensor) => Tensor;

  constructor(parts: BartParts, { heads, hidden }: BartStackConfig) {
    super();
    const { config, weights, rng } = parts;
    const { hiddenSize: width } = config;
    this.selfAttn = new BartAttention(parts, heads);
    this.selfAttnLayerNorm = new LayerNorm(width);
    this.fc1 = weights.linear(width, hidden, { bias: true });
    this.fc2 = weights.linear(hidden, width, { bias: true });
    this.finalLayerNorm = new LayerNorm(width);
    this.dropout = dropoutOf(config.dropout, rng);
    this.activationDropout = dropoutOf(config.activationDropout, rng);
    this.#activation = activationOf(config.activationFunction);
  }

  /** `norm(x + y)`, some of y dropped. */
  protected join(x: Tensor, y: Tensor, norm: LayerNorm): Tensor {
    return norm.forward(x.add(drop(this.dropout, y)));
  }

  protected feedForward(x: Tensor): Tensor {
    const hidden = drop(this.activationDropout, this.#activation(this.fc1.forward(x))); // [B, T, F]
    return this.join(x, this.fc2.forward(hidden), this.finalLayerNorm);
  }
}

/** A post-norm block of the encoder. */
export class BartEncoderLayer extends BartLayer {
  constructor(parts: BartParts) {
    super(parts, parts.config.encoder);
  }

  forward(x: Tensor, attentionMask: Tensor | null): Tensor {
    return scope(() => {
      const attended = this.selfAttn.forward(x, null, { attentionMask });
      return this.feedForward(this.join(x, attended, this.selfAttnLayerNorm));
    });
  }
}

/** A post-norm block of the decoder, which attends to the encoder's states too. */
export class BartDecoderLayer extends BartLayer {
  readonly encoderAttn: BartAttention;
  readonly encoderAttnLayerNorm: LayerNorm;
  readonly #index: number;

  constructor(parts: BartParts, index: number) {
    super(parts, parts.config.decoder);
    this.encoderAttn = new BartAttention(parts, parts.config.decoder.heads);
    this.encoderAttnLayerNorm = new LayerNorm(parts.config.hiddenSize);
    this.#index = index;
  }

  forward(x: Tensor, input: DecoderInput): Tensor {
    const { attentionMask = null, memory, memoryMask = null } = input;
    return scope(() => {
      const own = { attentionMask, cache: input.cache?.[this.#index] ?? null, causal: true };
      const h = this.join(x, this.selfAttn.forward(x, null, own), this.selfAttnLayerNorm);
      const other = { attentionMask: memoryMask, cache: input.memoryCache?.[this.#index] ?? null };
      const attended = this.encoderAttn.forward(h, memory, other);
      return this.feedForward(this.join(h, attended, this.encoderAttnLayerNorm));
    });
  }
}
