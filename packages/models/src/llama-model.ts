import { MultiHeadAttention } from '@burin/attention';
import { GatedFeedForward } from '@burin/ffn';
import { type Embedding, Module, RotaryEmbedding } from '@burin/nn';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import { decoderStates, type LayerInput } from './decoder-states.js';
import type { States } from './heads.js';
import type { LlamaConfig } from './llama-config.js';
import { type LlamaNorm, llamaNorm } from './llama-norm.js';
import type { ModelInput } from './model-input.js';
import type { Weights } from './weights.js';

/** One block: `x + attention(norm(x))`, then `x + mlp(norm(x))`. */
export class LlamaDecoderLayer extends Module {
  readonly inputLayernorm: LlamaNorm;
  readonly selfAttn: MultiHeadAttention;
  readonly postAttentionLayernorm: LlamaNorm;
  readonly mlp: GatedFeedForward;

  constructor(config: LlamaConfig, layer: number, rotary: RotaryEmbedding, weights: Weights, rng: Generator | null) {
    super();
    const { hiddenSize: width, numAttentionHeads: heads, numKeyValueHeads: kvHeads, headDim } = config;
    const { intermediateSize: hidden, qkvBias, outputBias, mlpBias, attentionDropout } = config;
    this.inputLayernorm = llamaNorm(config, width);
    this.selfAttn = new MultiHeadAttention({
      qProj: weights.linear(width, heads * headDim, { bias: qkvBias }),
      kProj: weights.linear(width, kvHeads * headDim, { bias: qkvBias }),
      vProj: weights.linear(width, kvHeads * headDim, { bias: qkvBias }),
      oProj: weights.linear(heads * headDim, width, { bias: outputBias }),
      causal: true,
      window: config.slidingWindows[layer] ?? null,
      ...{ heads, kvHeads, rotary, rng },
      dropout: rng ? attentionDropout : 0,
      qNorm: config.qkNorm ? llamaNorm(config, headDim) : null,
      kNorm: config.qkNorm ? llamaNorm(config, headDim) : null,
    });
    this.postAttentionLayernorm = llamaNorm(config, width);
    this.mlp = new GatedFeedForward({
      gateProj: weights.linear(width, hidden, { bias: mlpBias }),
      upProj: weights.linear(width, hidden, { bias: mlpBias }),
      downProj: weights.linear(hidden, width, { bias: mlpBias }),
      activation: config.hiddenAct,
    });
  }

  forward(x: Tensor, { attentionMask, segments, positions, cache }: LayerInput): Tensor {
    return scope(() => {
      const attended = this.selfAttn.forward(this.inputLayernorm.forward(x), {
        keyPaddingMask: attentionMask,
        positions: positions.ids,
        maxPosition: positions.max,
        ...{ segments, cache },
      });
      const h = x.add(attended); // [B, T, C]
      return h.add(this.mlp.forward(this.postAttentionLayernorm.forward(h)));
    });
  }
}

/**
 * The decoder without a head: `[B, T]` ids -> `[B, T, C]` states.
 *
 * @see Touvron et al. 2023, https://arxiv.org/abs/2302.13971
 */
export class LlamaModel extends Module {
  readonly embedTokens: Embedding; // [V, C]
  readonly layers: LlamaDecoderLayer[];
  readonly norm: LlamaNorm;
  readonly config: LlamaConfig;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;
  #rotary: RotaryEmbedding;

  /** Layers are made by `weights`; `rng` draws dropout in training, and without it nothing is dropped. */
  constructor(config: LlamaConfig, weights: Weights, rng: Generator | null = null) {
    super();
    const { headDim, ropeTheta: theta, ropeScaling: scaling, padTokenId } = config;
    this.config = config;
    this.#rotary = new RotaryEmbedding({ headDim, theta, scaling });
    const padding = padTokenId !== null && padTokenId >= 0 ? { paddingIndex: padTokenId } : {};
    this.embedTokens = weights.embedding(config.vocabSize, config.hiddenSize, padding);
    this.layers = config.slidingWindows.map((_, i) => new LlamaDecoderLayer(config, i, this.#rotary, weights, rng));
    this.norm = llamaNorm(config, config.hiddenSize);
  }

  /**
   * The last state, after the final norm, and all of them if asked for.
   *
   * @throws ShapeError or DtypeError if a tensor does not fit `inputIds`
   */
  forward(input: ModelInput): States {
    const { layers, norm } = this;
    const { embeddingScale } = this.config;
    const embed = (ids: Tensor) => {
      const words = this.embedTokens.forward(ids); // [B, T, C]
      return embeddingScale === 1 ? words : words.mul(embeddingScale);
    };
    const recompute = this.gradientCheckpointing && this.training;
    return decoderStates({ who: 'LlamaModel', embed, layers, norm, recompute }, input);
  }

  override dispose(): void {
    this.#rotary.dispose();
    super.dispose();
  }
}
