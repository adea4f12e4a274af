import { activationOf } from '@burin/ffn';
import { type Dropout, type Embedding, type LinearLike, Module } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import { attend } from './attend.js';
import type { DistilBertConfig } from './distilbert-config.js';
import { drop, dropoutOf } from './drop.js';
import type { ModelParts } from './family.js';
import type { States } from './heads.js';
import { runLayers } from './layer-stack.js';
import { learnedPositions } from './learned-positions.js';
import { checkInput, type ModelInput, positionsFrom } from './model-input.js';

/** What a DistilBERT reads. */
export type DistilBertInput = Omit<ModelInput, 'cache'>;

/** How layers are made. */
export type DistilBertParts = ModelParts<DistilBertConfig>;

/** DistilBERT's layers have this epsilon, whatever config.json says. */
const EPS = 1e-12;

class DistilBertEmbeddings extends Module {
  readonly wordEmbeddings: Embedding; // [V, C]
  readonly positionEmbeddings: Embedding; // [positions, C]
  readonly LayerNorm: LayerNorm;
  readonly dropout: Dropout | null;

  constructor({ config, weights, rng }: DistilBertParts) {
    super();
    const { hiddenSize: width, padTokenId: paddingIndex } = config;
    this.wordEmbeddings = weights.embedding(config.vocabSize, width, { paddingIndex });
    this.positionEmbeddings = weights.embedding(config.maxPositionEmbeddings, width);
    this.LayerNorm = new LayerNorm(width, { eps: EPS });
    this.dropout = dropoutOf(config.dropout, rng);
  }

  forward(input: DistilBertInput): Tensor {
    const [batch, tokens] = checkInput('DistilBertModel', input);
    const positions = input.positions ?? positionsFrom(0, batch, tokens, input.inputIds.device);
    const places = learnedPositions('DistilBertModel', this.positionEmbeddings, positions);
    const words = this.wordEmbeddings.forward(input.inputIds);
    return drop(this.dropout, this.LayerNorm.forward(words.add(places))); // [B, T, C]
  }
}

class DistilBertAttention extends Module {
  readonly qLin: LinearLike; // [C] -> [C]
  readonly kLin: LinearLike;
  readonly vLin: LinearLike;
  readonly outLin: LinearLike;
  readonly heads: number;
  readonly dropout: number;
  readonly rng: Generator | null;

  constructor({ config, weights, rng }: DistilBertParts) {
    super();
    const linear = () => weights.linear(config.hiddenSize, config.hiddenSize, { bias: true });
    this.qLin = linear();
    this.kLin = linear();
    this.vLin = linear();
    this.outLin = linear();
    this.heads = config.numAttentionHeads;
    this.dropout = rng ? config.attentionDropout : 0;
    this.rng = rng;
  }

  forward(x: Tensor, { attentionMask = null, segments = null }: DistilBertInput): Tensor {
    const { heads, rng } = this;
    const dropout = this.training ? this.dropout : 0;
    const settings = { heads, attentionMask, segments, dropout, rng };
    return this.outLin.forward(attend(this.qLin.forward(x), this.kLin.forward(x), this.vLin.forward(x), settings));
  }
}

class DistilBertFfn extends Module {
  readonly lin1: LinearLike; // [C] -> [F]
  readonly lin2: LinearLike; // [F] -> [C]
  readonly dropout: Dropout | null;
  readonly #activation: (x: Tensor) => Tensor;

  constructor({ config, weights, rng }: DistilBertParts) {
    super();
    this.lin1 = weights.linear(config.hiddenSize, config.intermediateSize, { bias: true });
    this.lin2 = weights.linear(config.intermediateSize, config.hiddenSize, { bias: true });
    this.dropout = dropoutOf(config.dropout, rng);
    this.#activation = activationOf(config.activation);
  }

  forward(x: Tensor): Tensor {
    return drop(this.dropout, this.lin2.forward(this.#activation(this.lin1.forward(x))));
  }
}

/** A post-norm block: attention and feed-forward, each added to its input and then normed. */
class DistilBertBlock extends Module {
  readonly attention: DistilBertAttention;
  readonly saLayerNorm: LayerNorm;
  readonly ffn: DistilBertFfn;
  readonly outputLayerNorm: LayerNorm;

  constructor(parts: DistilBertParts) {
    super();
    const { hiddenSize } = parts.config;
    this.attention = new DistilBertAttention(parts);
    this.saLayerNorm = new LayerNorm(hiddenSize, { eps: EPS });
    this.ffn = new DistilBertFfn(parts);
    this.outputLayerNorm = new LayerNorm(hiddenSize, { eps: EPS });
  }

  forward(x: Tensor, input: DistilBertInput): Tensor {
    return scope(() => {
      const attended = this.saLayerNorm.forward(this.attention.forward(x, input).add(x));
      return this.outputLayerNorm.forward(this.ffn.forward(attended).add(attended));
    });
  }
}

class DistilBertLayers extends Module {
  readonly layer: DistilBertBlock[];

  constructor(parts: DistilBertParts) {
    super();
    this.layer = Array.from({ length: parts.config.numHiddenLayers }, () => new DistilBertBlock(parts));
  }
}

/**
 * The encoder without a head: `[B, T]` ids -> `[B, T, C]` states. BERT with half the layers, without types and pooler.
 *
 * @see Sanh et al. 2019, https://arxiv.org/abs/1910.01108
 */
export class DistilBertModel extends Module {
  readonly embeddings: DistilBertEmbeddings;
  readonly transformer: DistilBertLayers;
  readonly config: DistilBertConfig;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;

  constructor(parts: DistilBertParts) {
    super();
    this.config = parts.config;
    this.embeddings = new DistilBertEmbeddings(parts);
    this.transformer = new DistilBertLayers(parts);
  }

  /**
   * The last state, and all of them if asked for.
   *
   * @throws ShapeError or DtypeError if a tensor does not fit `inputIds`; RangeError if a position is beyond the table
   */
  forward(input: DistilBertInput): States {
    return scope(() => {
      const stack = {
        layers: this.transformer.layer,
        norm: null,
        recompute: this.gradientCheckpointing && this.training,
        outputHiddenStates: input.outputHiddenStates,
      };
      return runLayers(stack, this.embeddings.forward(input), [], (layer, _, x) => layer.forward(x, input));
    });
  }
}
