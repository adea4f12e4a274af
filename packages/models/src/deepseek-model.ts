import { LatentAttention } from '@burin/attention';
import { ExpertRouter, GatedFeedForward, MixtureOfExperts } from '@burin/ffn';
import { type Embedding, Module, RotaryEmbedding } from '@burin/nn';
import { RmsNorm } from '@burin/norm';
import { scope, type Tensor } from '@burin/tensor';
import { decoderStates, type LayerInput } from './decoder-states.js';
import type { DeepseekV2Config } from './deepseek-config.js';
import type { ModelParts } from './family.js';
import type { States } from './heads.js';
import type { ModelInput } from './model-input.js';

type DeepseekV2Parts = ModelParts<DeepseekV2Config>;

/** The norms of latents have this epsilon, whatever config.json says. */
const LATENT_EPS = 1e-6;

function latentAttention({ config, weights, rng }: DeepseekV2Parts, rotary: RotaryEmbedding): LatentAttention {
  const { hiddenSize: width, numAttentionHeads: heads, attentionBias: bias, qLoraRank, kvLoraRank } = config;
  const { qkNopeHeadDim: nopeDim, qkRopeHeadDim: ropeDim, vHeadDim: valueDim } = config;
  const latentNorm = (rank: number) => new RmsNorm(rank, { eps: LATENT_EPS });
  const queryWidth = heads * (nopeDim + ropeDim);
  const queries =
    qLoraRank === null
      ? { qProj: weights.linear(width, queryWidth, { bias: false }) }
      : {
          qAProj: weights.linear(width, qLoraRank, { bias }),
          qALayernorm: latentNorm(qLoraRank),
          qBProj: weights.linear(qLoraRank, queryWidth, { bias: false }),
        };
  return new LatentAttention({
    ...queries,
    kvAProjWithMqa: weights.linear(width, kvLoraRank + ropeDim, { bias }),
    kvALayernorm: latentNorm(kvLoraRank),
    kvBProj: weights.linear(kvLoraRank, heads * (nopeDim + valueDim), { bias: false }),
    oProj: weights.linear(heads * valueDim, width, { bias }),
    ...{ heads, nopeDim, valueDim, rotary, rng },
    scale: config.attentionScale,
    dropout: rng ? config.attentionDropout : 0,
  });
}

function feedForward({ config, weights }: DeepseekV2Parts, hidden: number): GatedFeedForward {
  const { hiddenSize: width, hiddenAct: activation } = config;
  return new GatedFeedForward({
    gateProj: weights.linear(width, hidden, { bias: false }),
    upProj: weights.linear(width, hidden, { bias: false }),
    downProj: weights.linear(hidden, width, { bias: false }),
    activation,
  });
}

function mixtureOfExperts(parts: DeepseekV2Parts): MixtureOfExperts {
  const { hiddenSize, moeIntermediateSize: hidden, nRoutedExperts, nSharedExperts, routing } = parts.config;
  return new MixtureOfExperts({
    gate: new ExpertRouter(parts.weights.parameter([nRoutedExperts, hiddenSize]), routing),
    experts: Array.from({ length: nRoutedExperts }, () => feedForward(parts, hidden)),
    sharedExperts: nSharedExperts > 0 ? feedForward(parts, nSharedExperts * hidden) : null,
  });
}

/** One block: `x + attention(norm(x))`, then `x + mlp(norm(x))`, whose mlp is dense or a mixture of experts. */
class DeepseekV2Layer extends Module {
  readonly inputLayernorm: RmsNorm;
  readonly selfAttn: LatentAttention;
  readonly postAttentionLayernorm: RmsNorm;
  readonly mlp: GatedFeedForward | MixtureOfExperts;

  constructor(parts: DeepseekV2Parts, layer: number, rotary: RotaryEmbedding) {
    super();
    const { hiddenSize, rmsNormEps: eps, intermediateSize, expertLayers } = parts.config;
    this.inputLayernorm = new RmsNorm(hiddenSize, { eps });
    this.selfAttn = latentAttention(parts, rotary);
    this.postAttentionLayernorm = new RmsNorm(hiddenSize, { eps });
    this.mlp = expertLayers[layer] ? mixtureOfExperts(parts) : feedForward(parts, intermediateSize);
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
 * The decoder without a head: `[B, T]` ids -> `[B, T, C]` states. Latent attention, and mixtures of experts.
 *
 * @see DeepSeek-AI 2024, https://arxiv.org/abs/2405.04434
 */
export class DeepseekV2Model extends Module {
  readonly embedTokens: Embedding; // [V, C]
  readonly layers: DeepseekV2Layer[];
  readonly norm: RmsNorm;
  readonly config: DeepseekV2Config;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;
  readonly #rotary: RotaryEmbedding;

  constructor(parts: DeepseekV2Parts) {
    super();
    const { config, weights } = parts;
    const {
      hiddenSize,
      vocabSize,
      padTokenId,
      qkRopeHeadDim: headDim,
      ropeTheta: theta,
      ropeScaling: scaling,
    } = config;
    const rotary = new RotaryEmbedding({ headDim, theta, scaling, interleaved: true });
    const padding = padTokenId !== null && padTokenId < vocabSize ? { paddingIndex: padTokenId } : {};
    this.config = config;
    this.#rotary = rotary;
    this.embedTokens = weights.embedding(vocabSize, hiddenSize, padding);
    this.layers = config.expertLayers.map((_, layer) => new DeepseekV2Layer(parts, layer, rotary));
    this.norm = new RmsNorm(hiddenSize, { eps: config.rmsNormEps });
  }

  /** The last state, after the final norm. @throws ShapeError or DtypeError if a tensor does not fit `inputIds` */
  forward(input: ModelInput): States {
    const { layers, norm } = this;
    const embed = (ids: Tensor) => this.embedTokens.forward(ids);
    const recompute = this.gradientCheckpointing && this.training;
    return decoderStates({ who: 'DeepseekV2Model', embed, layers, norm, recompute }, input);
  }

  override dispose(): void {
    this.#rotary.dispose();
    super.dispose();
  }
}
