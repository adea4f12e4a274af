import { activationOf } from '@burin/ffn';
import { type Dropout, type Embedding, type LinearLike, Module, RotaryEmbedding } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import { attend } from './attend.js';
import { decoderStates, type LayerInput } from './decoder-states.js';
import { drop, dropoutOf } from './drop.js';
import type { ModelParts } from './family.js';
import type { GPTNeoXConfig } from './gpt-neox-config.js';
import type { States } from './heads.js';
import type { ModelInput } from './model-input.js';

type GPTNeoXParts = ModelParts<GPTNeoXConfig>;

class GPTNeoXAttention extends Module {
  readonly queryKeyValue: LinearLike; // [C] -> [H · 3 · D]: queries, keys and values of each head side by side
  readonly dense: LinearLike; // [C] -> [C]
  readonly heads: number;
  readonly dropout: number;
  readonly rng: Generator | null;
  readonly #rotary: RotaryEmbedding;

  constructor({ config, weights, rng }: GPTNeoXParts, rotary: RotaryEmbedding) {
    super();
    const { hiddenSize: width, attentionBias: bias } = config;
    this.queryKeyValue = weights.linear(width, 3 * width, { bias });
    this.dense = weights.linear(width, width, { bias });
    this.heads = config.numAttentionHeads;
    this.dropout = rng ? config.attentionDropout : 0;
    this.rng = rng;
    this.#rotary = rotary;
  }

  forward(x: Tensor, { positions, ...input }: LayerInput): Tensor {
    const [B, T, C] = x.shape as [number, number, number];
    const { heads, rng } = this;
    const D = C / heads;
    const stacked = this.queryKeyValue.forward(x).reshape([B, T, heads, 3 * D]);
    const [q, k, v] = [0, 1, 2].map((part) => stacked.narrow(3, part * D, D)) as [Tensor, Tensor, Tensor];
    const turn = (each: Tensor) =>
      this.#rotary.apply(each, positions.ids, { maxPosition: positions.max }).reshape([B, T, C]);
    const dropout = this.training ? this.dropout : 0;
    return this.dense.forward(
      attend(turn(q), turn(k), v.reshape([B, T, C]), { ...input, heads, causal: true, dropout, rng }),
    );
  }
}

class GPTNeoXMlp extends Module {
  readonly dense_h_to_4h: LinearLike; // [C] -> [F]
  readonly dense_4h_to_h: LinearLike; // [F] -> [C]
  readonly #activation: (x: Tensor) => Tensor;

  constructor({ config, weights }: GPTNeoXParts) {
    super();
    this.dense_h_to_4h = weights.linear(config.hiddenSize, config.intermediateSize, { bias: true });
    this.dense_4h_to_h = weights.linear(config.intermediateSize, config.hiddenSize, { bias: true });
    this.#activation = activationOf(config.hiddenAct);
  }

  forward(x: Tensor): Tensor {
    return this.dense_4h_to_h.forward(this.#activation(this.dense_h_to_4h.forward(x)));
  }
}

/** One block: `x + attention(norm1(x)) + mlp(norm2(x))`, or, serial, the mlp after the attention. */
class GPTNeoXLayer extends Module {
  readonly inputLayernorm: LayerNorm;
  readonly postAttentionLayernorm: LayerNorm;
  readonly attention: GPTNeoXAttention;
  readonly mlp: GPTNeoXMlp;
  readonly dropout: Dropout | null;
  readonly parallel: boolean;

  constructor(parts: GPTNeoXParts, rotary: RotaryEmbedding) {
    super();
    const { hiddenSize, layerNormEps: eps, hiddenDropout, useParallelResidual } = parts.config;
    this.inputLayernorm = new LayerNorm(hiddenSize, { eps });
    this.postAttentionLayernorm = new LayerNorm(hiddenSize, { eps });
    this.attention = new GPTNeoXAttention(parts, rotary);
    this.mlp = new GPTNeoXMlp(parts);
    this.dropout = dropoutOf(hiddenDropout, parts.rng);
    this.parallel = useParallelResidual;
  }

  forward(x: Tensor, input: LayerInput): Tensor {
    return scope(() => {
      const h = x.add(drop(this.dropout, this.attention.forward(this.inputLayernorm.forward(x), input)));
      const read = this.parallel ? x : h;
      return h.add(drop(this.dropout, this.mlp.forward(this.postAttentionLayernorm.forward(read))));
    });
  }
}

/**
 * The decoder without a head: `[B, T]` ids -> `[B, T, C]` states.
 *
 * @see Black et al. 2022, https://arxiv.org/abs/2204.06745
 */
export class GPTNeoXModel extends Module {
  readonly embedIn: Embedding; // [V, C]
  readonly layers: GPTNeoXLayer[];
  readonly finalLayerNorm: LayerNorm;
  readonly embDropout: Dropout | null;
  readonly config: GPTNeoXConfig;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;
  readonly #rotary: RotaryEmbedding;

  constructor(parts: GPTNeoXParts) {
    super();
    const { config, weights, rng } = parts;
    const headDim = config.hiddenSize / config.numAttentionHeads;
    const { rotaryDim, rotaryEmbBase: theta, ropeScaling: scaling } = config;
    const rotary = new RotaryEmbedding({ headDim, rotaryDim, theta, scaling });
    this.config = config;
    this.#rotary = rotary;
    this.embedIn = weights.embedding(config.vocabSize, config.hiddenSize);
    this.layers = Array.from({ length: config.numHiddenLayers }, () => new GPTNeoXLayer(parts, rotary));
    this.finalLayerNorm = new LayerNorm(config.hiddenSize, { eps: config.layerNormEps });
    this.embDropout = dropoutOf(config.hiddenDropout, rng);
  }

  /** The last state, after the final norm. @throws ShapeError or DtypeError if a tensor does not fit `inputIds` */
  forward(input: ModelInput): States {
    const embed = (ids: Tensor) => drop(this.embDropout, this.embedIn.forward(ids));
    const { layers, finalLayerNorm: norm } = this;
    return decoderStates(
      { who: 'GPTNeoXModel', embed, layers, norm, recompute: this.gradientCheckpointing && this.training },
      input,
    );
  }

  override dispose(): void {
    this.#rotary.dispose();
    super.dispose();
  }
}
