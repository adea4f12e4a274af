import { type Dropout, type Embedding, Module, RotaryEmbedding } from '@burin/nn';
import type { LayerNorm } from '@burin/norm';
import { scope, type Tensor } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import type { States } from './heads.js';
import { runLayers } from './layer-stack.js';
import { checkInput, positionsFrom } from './model-input.js';
import type { ModernBertAttentionType, ModernBertConfig } from './modernbert-config.js';
import { type ModernBertInput, ModernBertLayer, type ModernBertParts, modernBertNorm } from './modernbert-layer.js';

class ModernBertEmbeddings extends Module {
  readonly tokEmbeddings: Embedding; // [V, C]
  readonly norm: LayerNorm;
  readonly drop: Dropout | null;

  constructor({ config, weights, rng }: ModernBertParts) {
    super();
    const { vocabSize, hiddenSize, padTokenId } = config;
    const padding = padTokenId !== null && padTokenId < vocabSize ? { paddingIndex: padTokenId } : {};
    this.tokEmbeddings = weights.embedding(vocabSize, hiddenSize, padding);
    this.norm = modernBertNorm(config);
    this.drop = dropoutOf(config.embeddingDropout, rng);
  }

  forward(inputIds: Tensor): Tensor {
    return drop(this.drop, this.norm.forward(this.tokEmbeddings.forward(inputIds))); // [B, T, C]
  }
}

/**
 * The encoder without a head: `[B, T]` ids -> `[B, T, C]` states. Rotary positions, gated feed-forward blocks, and most
 * layers look at near tokens only.
 *
 * @see Warner et al. 2024, https://arxiv.org/abs/2412.13663
 */
export class ModernBertModel extends Module {
  readonly embeddings: ModernBertEmbeddings;
  readonly layers: ModernBertLayer[];
  readonly finalNorm: LayerNorm;
  readonly config: ModernBertConfig;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;
  readonly #rotary: Readonly<Record<ModernBertAttentionType, RotaryEmbedding>>;

  constructor(parts: ModernBertParts) {
    super();
    const { config } = parts;
    this.config = config;
    this.#rotary = {
      full_attention: rotaryOf(config, 'full_attention'),
      sliding_attention: rotaryOf(config, 'sliding_attention'),
    };
    this.embeddings = new ModernBertEmbeddings(parts);
    this.layers = config.layerTypes.map((kind, layer) => new ModernBertLayer(parts, layer, this.#rotary[kind]));
    this.finalNorm = modernBertNorm(config);
  }

  /**
   * The last state, after the final norm, and all of them if asked for.
   *
   * @throws ShapeError or DtypeError if a tensor does not fit `inputIds`
   */
  forward(input: ModernBertInput): States {
    return scope(() => {
      const [batch, tokens] = checkInput('ModernBertModel', input);
      const positions = input.positions ?? positionsFrom(0, batch, tokens, input.inputIds.device);
      const { attentionMask = null, segments = null } = input;
      const stack = {
        layers: this.layers,
        norm: this.finalNorm,
        recompute: this.gradientCheckpointing && this.training,
        outputHiddenStates: input.outputHiddenStates,
      };
      // positions may be of this scope
      return runLayers(stack, this.embeddings.forward(input.inputIds), [positions.ids], (layer, _, x, ids) =>
        layer.forward(x, { attentionMask, segments, positions: { ids, max: positions.max } }),
      );
    });
  }

  override dispose(): void {
    for (const rotary of Object.values(this.#rotary)) rotary.dispose();
    super.dispose();
  }
}

function rotaryOf({ hiddenSize, numAttentionHeads, rope }: ModernBertConfig, kind: ModernBertAttentionType) {
  const { ropeTheta: theta, ropeScaling: scaling } = rope[kind];
  return new RotaryEmbedding({ headDim: hiddenSize / numAttentionHeads, theta, scaling });
}
