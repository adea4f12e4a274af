import { activationOf } from '@burin/ffn';
import { type Dropout, type Embedding, type LinearLike, Module } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import { attend } from './attend.js';
import { decoderStates, type LayerInput } from './decoder-states.js';
import { drop, dropoutOf } from './drop.js';
import type { ModelParts } from './family.js';
import type { Gpt2Config } from './gpt2-config.js';
import type { States } from './heads.js';
import { learnedPositions } from './learned-positions.js';
import type { ModelInput, Positions } from './model-input.js';

type Gpt2Parts = ModelParts<Gpt2Config>;

class Gpt2Attention extends Module {
  readonly c_attn: LinearLike; // [C] -> [3 · C]: queries, keys, values
  readonly c_proj: LinearLike; // [C] -> [C]
  readonly residDropout: Dropout | null;
  readonly heads: number;
  readonly scale: number;
  readonly dropout: number;
  readonly rng: Generator | null;

  constructor({ config, weights, rng }: Gpt2Parts, layer: number) {
    super();
    const { hiddenSize: width, numAttentionHeads: heads } = config;
    this.c_attn = weights.conv1d(width, 3 * width);
    this.c_proj = weights.conv1d(width, width, { gain: residualGain(config) });
    this.residDropout = dropoutOf(config.residPdrop, rng);
    this.heads = heads;
    const scale = config.scaleAttnWeights ? 1 / Math.sqrt(width / heads) : 1;
    this.scale = config.scaleAttnByInverseLayerIdx ? scale / (layer + 1) : scale;
    this.dropout = rng ? config.attnPdrop : 0;
    this.rng = rng;
  }

  forward(x: Tensor, { positions: _learned, ...input }: LayerInput): Tensor {
    const { heads, scale, rng } = this;
    const width = x.shape[2]!;
    const stacked = this.c_attn.forward(x); // [B, T, 3 · C]
    const [q, k, v] = [0, 1, 2].map((part) => stacked.narrow(2, part * width, width)) as [Tensor, Tensor, Tensor];
    const dropout = this.training ? this.dropout : 0;
    const attended = attend(q, k, v, { ...input, heads, scale, causal: true, dropout, rng });
    return drop(this.residDropout, this.c_proj.forward(attended)); // [B, T, C]
  }
}

class Gpt2Mlp extends Module {
  readonly c_fc: LinearLike; // [C] -> [F]
  readonly c_proj: LinearLike; // [F] -> [C]
  readonly dropout: Dropout | null;
  readonly #activation: (x: Tensor) => Tensor;

  constructor({ config, weights, rng }: Gpt2Parts) {
    super();
    this.c_fc = weights.conv1d(config.hiddenSize, config.intermediateSize);
    this.c_proj = weights.conv1d(config.intermediateSize, config.hiddenSize, { gain: residualGain(config) });
    this.dropout = dropoutOf(config.residPdrop, rng);
    this.#activation = activationOf(config.activationFunction);
  }

  forward(x: Tensor): Tensor {
    return drop(this.dropout, this.c_proj.forward(this.#activation(this.c_fc.forward(x))));
  }
}

/** New weights that end in the residual stream are smaller, as there are 2 · layers of them. */
function residualGain({ numHiddenLayers }: Gpt2Config): number {
  return 1 / Math.sqrt(2 * numHiddenLayers);
}

/** One block: `x + attention(norm(x))`, then `x + mlp(norm(x))`. */
class Gpt2Block extends Module {
  readonly ln_1: LayerNorm;
  readonly attn: Gpt2Attention;
  readonly ln_2: LayerNorm;
  readonly mlp: Gpt2Mlp;

  constructor(parts: Gpt2Parts, layer: number) {
    super();
    const { hiddenSize, layerNormEpsilon: eps } = parts.config;
    this.ln_1 = new LayerNorm(hiddenSize, { eps });
    this.attn = new Gpt2Attention(parts, layer);
    this.ln_2 = new LayerNorm(hiddenSize, { eps });
    this.mlp = new Gpt2Mlp(parts);
  }

  forward(x: Tensor, input: LayerInput): Tensor {
    return scope(() => {
      const h = x.add(this.attn.forward(this.ln_1.forward(x), input)); // [B, T, C]
      return h.add(this.mlp.forward(this.ln_2.forward(h)));
    });
  }
}

/**
 * The decoder without a head: `[B, T]` ids -> `[B, T, C]` states. Learned positions, norms before each half of a block.
 *
 * @see Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"
 */
export class GPT2Model extends Module {
  readonly wte: Embedding; // [V, C]
  readonly wpe: Embedding; // [positions, C]
  readonly drop: Dropout | null;
  readonly h: Gpt2Block[];
  readonly ln_f: LayerNorm;
  readonly config: Gpt2Config;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;

  constructor(parts: Gpt2Parts) {
    super();
    const { config, weights, rng } = parts;
    this.config = config;
    this.wte = weights.embedding(config.vocabSize, config.hiddenSize);
    this.wpe = weights.embedding(config.maxPositionEmbeddings, config.hiddenSize);
    this.drop = dropoutOf(config.embdPdrop, rng);
    this.h = Array.from({ length: config.numHiddenLayers }, (_, layer) => new Gpt2Block(parts, layer));
    this.ln_f = new LayerNorm(config.hiddenSize, { eps: config.layerNormEpsilon });
  }

  /**
   * The last state, after the final norm, and all of them if asked for.
   *
   * @throws ShapeError or DtypeError if a tensor does not fit `inputIds`; RangeError if a position is beyond the table
   */
  forward(input: ModelInput): States {
    const embed = (ids: Tensor, positions: Positions) =>
      drop(this.drop, this.wte.forward(ids).add(learnedPositions('GPT2Model', this.wpe, positions)));
    const recompute = this.gradientCheckpointing && this.training;
    return decoderStates({ who: 'GPT2Model', embed, layers: this.h, norm: this.ln_f, recompute }, input);
  }
}
