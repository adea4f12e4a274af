import { activationOf } from '@burin/ffn';
import { type Dropout, type LinearLike, Module, type Parameter } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { cat, type Generator, linear, ShapeError, scope, type Tensor } from '@burin/tensor';
import { attend } from './attend.js';
import { drop, dropoutOf } from './drop.js';
import type { ModelParts } from './family.js';
import type { States } from './heads.js';
import { runLayers } from './layer-stack.js';
import type { ViTConfig } from './vit-config.js';

/** How layers are made. */
export type ViTParts = ModelParts<ViTConfig>;

/** What a ViT reads. */
export interface ViTInput {
  /** float32 `[B, channels, height, width]`, normalised as the model was trained. */
  pixelValues: Tensor;
  /** Return the states between layers too. */
  outputHiddenStates?: boolean;
}

/** A convolution whose windows do not overlap: a linear layer over each patch. */
class PatchProjection extends Module {
  readonly weight: Parameter; // [C, channels, patch, patch]
  readonly bias: Parameter; // [C]
  readonly #config: ViTConfig;

  constructor({ config, weights }: ViTParts) {
    super();
    const { hiddenSize, numChannels, patchSize } = config;
    this.weight = weights.parameter([hiddenSize, numChannels, patchSize, patchSize]);
    this.bias = weights.parameter([hiddenSize], { gain: 0 });
    this.#config = config;
  }

  /** `[B, channels, height, width] -> [B, patches, C]`, row by row. */
  forward(pixels: Tensor): Tensor {
    const { imageSize, patchSize: p, numChannels, hiddenSize } = this.#config;
    const [batch] = pixels.shape as [number];
    const expected = [batch, numChannels, imageSize, imageSize];
    if (`${pixels.shape}` !== `${expected}`) {
      throw new ShapeError(`ViTModel: pixelValues must be images: expected [${expected}], got [${pixels.shape}]`);
    }
    const side = imageSize / p;
    const patches = pixels.reshape([batch, numChannels, side, p, side, p]).permute([0, 2, 4, 1, 3, 5]);
    return linear(patches.reshape([batch, side * side, -1]), this.weight.reshape([hiddenSize, -1]), this.bias);
  }
}

class ViTEmbeddings extends Module {
  readonly clsToken: Parameter; // [1, 1, C]
  readonly positionEmbeddings: Parameter; // [1, 1 + patches, C]
  readonly patchEmbeddings: { projection: PatchProjection };
  readonly dropout: Dropout | null;

  constructor(parts: ViTParts) {
    super();
    const { hiddenSize, imageSize, patchSize, hiddenDropoutProb } = parts.config;
    this.clsToken = parts.weights.parameter([1, 1, hiddenSize]);
    this.positionEmbeddings = parts.weights.parameter([1, 1 + (imageSize / patchSize) ** 2, hiddenSize]);
    this.patchEmbeddings = { projection: new PatchProjection(parts) };
    this.dropout = dropoutOf(hiddenDropoutProb, parts.rng);
  }

  forward(pixels: Tensor): Tensor {
    const patches = this.patchEmbeddings.projection.forward(pixels);
    const [B, , C] = patches.shape as [number, number, number];
    const tokens = cat([this.clsToken.to('float32').expand([B, 1, C]), patches], 1);
    return drop(this.dropout, tokens.add(this.positionEmbeddings.to('float32'))); // [B, 1 + patches, C]
  }
}

class ViTAttention extends Module {
  readonly attention: { query: LinearLike; key: LinearLike; value: LinearLike };
  readonly output: { dense: LinearLike };
  readonly heads: number;
  readonly dropout: number;
  readonly rng: Generator | null;

  constructor({ config, weights, rng }: ViTParts) {
    super();
    const { hiddenSize: width, qkvBias } = config;
    const projection = (bias: boolean) => weights.linear(width, width, { bias });
    this.attention = { query: projection(qkvBias), key: projection(qkvBias), value: projection(qkvBias) };
    this.output = { dense: projection(true) };
    this.heads = config.numAttentionHeads;
    this.dropout = rng ? config.attentionProbsDropoutProb : 0;
    this.rng = rng;
  }

  forward(x: Tensor): Tensor {
    const { query, key, value } = this.attention;
    const settings = { heads: this.heads, dropout: this.training ? this.dropout : 0, rng: this.rng };
    return this.output.dense.forward(attend(query.forward(x), key.forward(x), value.forward(x), settings));
  }
}

/** One block: `x + attention(norm(x))`, then `x + mlp(norm(x))`. */
class ViTLayer extends Module {
  readonly attention: ViTAttention;
  readonly intermediate: { dense: LinearLike }; // [C] -> [F]
  readonly output: { dense: LinearLike }; // [F] -> [C]
  readonly layernormBefore: LayerNorm;
  readonly layernormAfter: LayerNorm;
  readonly dropout: Dropout | null;
  readonly #activation: (x: Tensor) => Tensor;

  constructor(parts: ViTParts) {
    super();
    const { config, weights, rng } = parts;
    const { hiddenSize: width, intermediateSize: hidden, layerNormEps: eps } = config;
    this.attention = new ViTAttention(parts);
    this.intermediate = { dense: weights.linear(width, hidden, { bias: true }) };
    this.output = { dense: weights.linear(hidden, width, { bias: true }) };
    this.layernormBefore = new LayerNorm(width, { eps });
    this.layernormAfter = new LayerNorm(width, { eps });
    this.dropout = dropoutOf(config.hiddenDropoutProb, rng);
    this.#activation = activationOf(config.hiddenAct);
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const h = x.add(drop(this.dropout, this.attention.forward(this.layernormBefore.forward(x))));
      const hidden = this.#activation(this.intermediate.dense.forward(this.layernormAfter.forward(h))); // [B, T, F]
      return h.add(drop(this.dropout, this.output.dense.forward(hidden)));
    });
  }
}

/**
 * The encoder of images without a head: `[B, channels, height, width]` -> `[B, 1 + patches, C]`, the class token first.
 *
 * @see Dosovitskiy et al. 2021, https://arxiv.org/abs/2010.11929
 */
export class ViTModel extends Module {
  readonly embeddings: ViTEmbeddings;
  readonly encoder: { layer: ViTLayer[] };
  readonly layernorm: LayerNorm;
  readonly config: ViTConfig;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;

  constructor(parts: ViTParts) {
    super();
    const { numHiddenLayers: length, hiddenSize, layerNormEps: eps } = parts.config;
    this.config = parts.config;
    this.embeddings = new ViTEmbeddings(parts);
    this.encoder = { layer: Array.from({ length }, () => new ViTLayer(parts)) };
    this.layernorm = new LayerNorm(hiddenSize, { eps });
  }

  /** The last state, after the final norm; hidden states are those before it. @throws ShapeError if images do not fit */
  forward({ pixelValues, outputHiddenStates }: ViTInput): States {
    return scope(() => {
      const stack = {
        layers: this.encoder.layer,
        norm: null,
        recompute: this.gradientCheckpointing && this.training,
        outputHiddenStates,
      };
      const embedded = this.embeddings.forward(pixelValues);
      const { states, hiddenStates } = runLayers(stack, embedded, [], (layer, _, x) => layer.forward(x));
      return { states: this.layernorm.forward(states), hiddenStates };
    });
  }
}
