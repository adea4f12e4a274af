import { activationOf } from '@burin/ffn';
import { type Dropout, type Embedding, type LinearLike, Module } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import { attend } from './attend.js';
import { decoderStates, type LayerInput } from './decoder-states.js';
import { drop, dropoutOf } from './drop.js';
import type { ModelParts } from './family.js';
import type { GPTNeoConfig } from './gpt-neo-config.js';
import type { States } from './heads.js';
import { learnedPositions } from './learned-positions.js';
import type { ModelInput, Positions } from './model-input.js';

type GPTNeoParts = ModelParts<GPTNeoConfig>;

/** GPT-Neo's attention puts no factor on the scores. */
class GPTNeoAttention extends Module {
  readonly kProj: LinearLike; // [C] -> [C]
  readonly vProj: LinearLike;
  readonly qProj: LinearLike;
  readonly outProj: LinearLike;
  readonly residDropout: Dropout | null;
  readonly heads: number;
  readonly window: number | null;
  readonly dropout: number;
  readonly rng: Generator | null;

  constructor({ config, weights, rng }: GPTNeoParts, layer: number) {
    super();
    const linear = (bias: boolean) => weights.linear(config.hiddenSize, config.hiddenSize, { bias });
    this.kProj = linear(false);
    this.vProj = linear(false);
    this.qProj = linear(false);
    this.outProj = linear(true);
    this.residDropout = dropoutOf(config.residDropout, rng);
    this.heads = config.numAttentionHeads;
    this.window = config.attentionLayers[layer] === 'local' ? config.windowSize : null;
    this.dropout = rng ? config.attentionDropout : 0;
    this.rng = rng;
  }

  forward(x: Tensor, { positions: _inEmbeddings, ...input }: LayerInput): Tensor {
    const { heads, window, rng } = this;
    const dropout = this.training ? this.dropout : 0;
    const settings = { ...input, heads, window, scale: 1, causal: true, dropout, rng };
    const attended = attend(this.qProj.forward(x), this.kProj.forward(x), this.vProj.forward(x), settings);
    return drop(this.residDropout, this.outProj.forward(attended)); // [B, T, C]
  }
}

class GPTNeoMlp extends Module {
  readonly c_fc: LinearLike; // [C] -> [F]
  readonly c_proj: LinearLike; // [F] -> [C]
  readonly dropout: Dropout | null;
  readonly #activation: (x: Tensor) => Tensor;

  constructor({ config, weights, rng }: GPTNeoParts) {
    super();
    this.c_fc = weights.linear(config.hiddenSize, config.intermediateSize, { bias: true });
    this.c_proj = weights.linear(config.intermediateSize, config.hiddenSize, { bias: true });
    this.dropout = dropoutOf(config.residDropout, rng);
    this.#activation = activationOf(config.activationFunction);
  }

  forward(x: Tensor): Tensor {
    return drop(this.dropout, this.c_proj.forward(this.#activation(this.c_fc.forward(x))));
  }
}

/** One block: `x + attention(norm(x))`, then `x + mlp(norm(x))`. */
class GPTNeoBlock extends Module {
  readonly ln_1: LayerNorm;
  readonly attn: { attention: GPTNeoAttention };
  readonly ln_2: LayerNorm;
  readonly mlp: GPTNeoMlp;

  constructor(parts: GPTNeoParts, layer: number) {
    super();
    const { hiddenSize, layerNormEpsilon: eps } = parts.config;
    this.ln_1 = new LayerNorm(hiddenSize, { eps });
    this.attn = { attention: new GPTNeoAttention(parts, layer) };
    this.ln_2 = new LayerNorm(hiddenSize, { eps });
    this.mlp = new GPTNeoMlp(parts);
  }

  forward(x: Tensor, input: LayerInput): Tensor {
    return scope(() => {
      const h = x.add(this.attn.attention.forward(this.ln_1.forward(x), input)); // [B, T, C]
      return h.add(this.mlp.forward(this.ln_2.forward(h)));
    });
  }
}

/**
 * The decoder without a head: `[B, T]` ids -> `[B, T, C]` states. A GPT-2 with local attention in some layers.
 *
 * @see Black et al. 2021, https://doi.org/10.5281/zenodo.5297715
 */
export class GPTNeoModel extends Module {
  readonly wte: Embedding; // [V, C]
  readonly wpe: Embedding; // [positions, C]
  readonly drop: Dropout | null;
  readonly h: GPTNeoBlock[];
  readonly ln_f: LayerNorm;
  readonly config: GPTNeoConfig;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;

  constructor(parts: GPTNeoParts) {
    super();
    const { config, weights, rng } = parts;
    this.config = config;
    this.wte = weights.embedding(config.vocabSize, config.hiddenSize);
    this.wpe = weights.embedding(config.maxPositionEmbeddings, config.hiddenSize);
    this.drop = dropoutOf(config.embedDropout, rng);
    this.h = config.attentionLayers.map((_, layer) => new GPTNeoBlock(parts, layer));
    this.ln_f = new LayerNorm(config.hiddenSize, { eps: config.layerNormEpsilon });
  }

  /**
   * The last state, after the final norm.
   *
   * @throws ShapeError or DtypeError if a tensor does not fit `inputIds`; RangeError if a position is beyond the table
   */
  forward(input: ModelInput): States {
    const embed = (ids: Tensor, positions: Positions) =>
      drop(this.drop, this.wte.forward(ids).add(learnedPositions('GPTNeoModel', this.wpe, positions)));
    const recompute = this.gradientCheckpointing && this.training;
    return decoderStates({ who: 'GPTNeoModel', embed, layers: this.h, norm: this.ln_f, recompute }, input);
  }
}
