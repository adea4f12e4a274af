import { gatedActivation } from '@burin/ffn';
import { type Embedding, type LinearLike, Module, RotaryEmbedding } from '@burin/nn';
import { RmsNorm } from '@burin/norm';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import { attend } from './attend.js';
import { decoderStates, type LayerInput } from './decoder-states.js';
import type { ModelParts } from './family.js';
import type { States } from './heads.js';
import type { ModelInput } from './model-input.js';
import type { Phi3Config } from './phi3-config.js';

type Phi3Parts = ModelParts<Phi3Config>;

class Phi3Attention extends Module {
  readonly qkvProj: LinearLike; // [C] -> [(H + 2 · K) · D]: all queries, all keys, all values
  readonly oProj: LinearLike; // [C] -> [C]
  readonly rng: Generator | null;
  readonly #config: Phi3Config;
  readonly #rotary: RotaryEmbedding;

  constructor({ config, weights, rng }: Phi3Parts, rotary: RotaryEmbedding) {
    super();
    const { hiddenSize: width, numAttentionHeads: heads, numKeyValueHeads: kvHeads } = config;
    this.qkvProj = weights.linear(width, width + 2 * kvHeads * (width / heads), { bias: false });
    this.oProj = weights.linear(width, width, { bias: false });
    this.rng = rng;
    this.#config = config;
    this.#rotary = rotary;
  }

  forward(x: Tensor, { positions, ...input }: LayerInput): Tensor {
    const [B, T, C] = x.shape as [number, number, number];
    const { numAttentionHeads: heads, numKeyValueHeads: kvHeads, slidingWindow: window } = this.#config;
    const D = C / heads;
    const stacked = this.qkvProj.forward(x);
    const part = (start: number, width: number) => stacked.narrow(2, start, width);
    const turn = (each: Tensor) =>
      this.#rotary
        .apply(each.reshape([B, T, -1, D]), positions.ids, { maxPosition: positions.max })
        .reshape(each.shape);
    const [q, k, v] = [turn(part(0, C)), turn(part(C, kvHeads * D)), part(C + kvHeads * D, kvHeads * D)];
    const dropout = this.training && this.rng ? this.#config.attentionDropout : 0;
    const settings = { ...input, heads, kvHeads, window, causal: true, dropout, rng: this.rng };
    return this.oProj.forward(attend(q, k, v, settings)); // [B, T, C]
  }
}

class Phi3Mlp extends Module {
  readonly gateUpProj: LinearLike; // [C] -> [2 · F]: gate, up
  readonly downProj: LinearLike; // [F] -> [C]
  readonly #config: Phi3Config;

  constructor({ config, weights }: Phi3Parts) {
    super();
    const { hiddenSize: width, intermediateSize: hidden } = config;
    this.gateUpProj = weights.linear(width, 2 * hidden, { bias: false });
    this.downProj = weights.linear(hidden, width, { bias: false });
    this.#config = config;
  }

  forward(x: Tensor): Tensor {
    const { intermediateSize: hidden, hiddenAct } = this.#config;
    const stacked = this.gateUpProj.forward(x); // [B, T, 2 · F]
    const [gate, up] = [stacked.narrow(2, 0, hidden), stacked.narrow(2, hidden, hidden)];
    return this.downProj.forward(gatedActivation(gate, up, hiddenAct));
  }
}

/** One block: `x + attention(norm(x))`, then `x + mlp(norm(x))`. */
class Phi3Layer extends Module {
  readonly inputLayernorm: RmsNorm;
  readonly selfAttn: Phi3Attention;
  readonly postAttentionLayernorm: RmsNorm;
  readonly mlp: Phi3Mlp;

  constructor(parts: Phi3Parts, rotary: RotaryEmbedding) {
    super();
    const { hiddenSize, rmsNormEps: eps } = parts.config;
    this.inputLayernorm = new RmsNorm(hiddenSize, { eps });
    this.selfAttn = new Phi3Attention(parts, rotary);
    this.postAttentionLayernorm = new RmsNorm(hiddenSize, { eps });
    this.mlp = new Phi3Mlp(parts);
  }

  forward(x: Tensor, input: LayerInput): Tensor {
    return scope(() => {
      const h = x.add(this.selfAttn.forward(this.inputLayernorm.forward(x), input)); // [B, T, C]
      return h.add(this.mlp.forward(this.postAttentionLayernorm.forward(h)));
    });
  }
}

/**
 * The decoder without a head: `[B, T]` ids -> `[B, T, C]` states. A Llama whose projections are stacked.
 *
 * @see Abdin et al. 2024, https://arxiv.org/abs/2404.14219
 */
export class Phi3Model extends Module {
  readonly embedTokens: Embedding; // [V, C]
  readonly layers: Phi3Layer[];
  readonly norm: RmsNorm;
  readonly config: Phi3Config;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;
  readonly #rotary: RotaryEmbedding;

  constructor(parts: Phi3Parts) {
    super();
    const { config, weights } = parts;
    const { hiddenSize, numAttentionHeads, ropeTheta: theta, ropeScaling: scaling, rotaryDim, padTokenId } = config;
    const rotary = new RotaryEmbedding({ headDim: hiddenSize / numAttentionHeads, rotaryDim, theta, scaling });
    const padding =
      padTokenId !== null && padTokenId >= 0 && padTokenId < config.vocabSize ? { paddingIndex: padTokenId } : {};
    this.config = config;
    this.#rotary = rotary;
    this.embedTokens = weights.embedding(config.vocabSize, hiddenSize, padding);
    this.layers = Array.from({ length: config.numHiddenLayers }, () => new Phi3Layer(parts, rotary));
    this.norm = new RmsNorm(hiddenSize, { eps: config.rmsNormEps });
  }

  /** The last state, after the final norm. @throws ShapeError or DtypeError if a tensor does not fit `inputIds` */
  forward(input: ModelInput): States {
    const { layers, norm } = this;
    const embed = (ids: Tensor) => this.embedTokens.forward(ids);
    const recompute = this.gradientCheckpointing && this.training;
    return decoderStates({ who: 'Phi3Model', embed, layers, norm, recompute }, input);
  }

  override dispose(): void {
    this.#rotary.dispose();
    super.dispose();
  }
}
