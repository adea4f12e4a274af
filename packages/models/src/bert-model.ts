import { scaledDotProductAttention } from '@burin/attention';
import { activationOf } from '@burin/ffn';
import { Dropout, type Embedding, type Linear, type LinearLike, Module } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import type { BertConfig } from './bert-config.js';
import { checkInput, type ModelInput, positionsFrom } from './model-input.js';
import type { Weights } from './weights.js';

/** What a BERT reads besides: int32 `[B, T]`, which of two texts a token belongs to. Left out: the first. */
export interface BertInput extends ModelInput {
  tokenTypeIds?: Tensor | null;
}

/** How layers are made. */
export interface BertParts {
  config: BertConfig;
  weights: Weights;
  rng: Generator | null; // draws dropout in training
}

function dropoutOf(p: number, rng: Generator | null): Dropout | null {
  return p > 0 && rng ? new Dropout(p, rng) : null;
}

function drop(dropout: Dropout | null, x: Tensor): Tensor {
  return dropout ? dropout.forward(x) : x;
}

/** Word, position and type, added and normed. */
class BertEmbeddings extends Module {
  readonly wordEmbeddings: Embedding; // [V, C]
  readonly positionEmbeddings: Embedding; // [positions, C]
  readonly tokenTypeEmbeddings: Embedding; // [types, C]
  readonly LayerNorm: LayerNorm;
  readonly dropout: Dropout | null;

  constructor({ config, weights, rng }: BertParts) {
    super();
    const { hiddenSize: width, padTokenId } = config;
    this.wordEmbeddings = weights.embedding(config.vocabSize, width, { paddingIndex: padTokenId });
    this.positionEmbeddings = weights.embedding(config.maxPositionEmbeddings, width);
    this.tokenTypeEmbeddings = weights.embedding(config.typeVocabSize, width);
    this.LayerNorm = new LayerNorm(width, { eps: config.layerNormEps });
    this.dropout = dropoutOf(config.hiddenDropoutProb, rng);
  }

  forward(input: BertInput): Tensor {
    const [batch, tokens] = checkInput('BertModel', input);
    const positions = input.positions ?? positionsFrom(0, batch, tokens);
    const limit = this.positionEmbeddings.weight.shape[0]!;
    if (positions.max >= limit) {
      throw new RangeError(
        `BertModel: texts have at most ${limit} tokens, got position ${positions.max}; truncate them`,
      );
    }
    const types = input.tokenTypeIds ?? input.inputIds.to('float32').mul(0).to('int32');
    const words = this.wordEmbeddings.forward(input.inputIds);
    const sum = words.add(this.tokenTypeEmbeddings.forward(types)).add(this.positionEmbeddings.forward(positions.ids));
    return drop(this.dropout, this.LayerNorm.forward(sum)); // [B, T, C]
  }
}

/** A linear, dropped out, added to what went in before, normed: the end of both halves of a layer. */
class BertOutput extends Module {
  readonly dense: LinearLike;
  readonly LayerNorm: LayerNorm;
  readonly dropout: Dropout | null;

  constructor(inner: number, { config, weights, rng }: BertParts) {
    super();
    this.dense = weights.linear(inner, config.hiddenSize, { bias: true });
    this.LayerNorm = new LayerNorm(config.hiddenSize, { eps: config.layerNormEps });
    this.dropout = dropoutOf(config.hiddenDropoutProb, rng);
  }

  forward(x: Tensor, residual: Tensor): Tensor {
    return this.LayerNorm.forward(drop(this.dropout, this.dense.forward(x)).add(residual));
  }
}

class BertSelfAttention extends Module {
  readonly query: LinearLike; // [C] -> [H · D]
  readonly key: LinearLike;
  readonly value: LinearLike;
  readonly heads: number;
  readonly dropout: number;
  readonly rng: Generator | null;

  constructor({ config, weights, rng }: BertParts) {
    super();
    const { hiddenSize: width } = config;
    this.query = weights.linear(width, width, { bias: true });
    this.key = weights.linear(width, width, { bias: true });
    this.value = weights.linear(width, width, { bias: true });
    this.heads = config.numAttentionHeads;
    this.dropout = rng ? config.attentionProbsDropoutProb : 0;
    this.rng = rng;
  }

  forward(x: Tensor, { attentionMask = null, segments = null }: ModelInput): Tensor {
    const [B, T, C] = x.shape as [number, number, number];
    const split = (projected: Tensor) => projected.reshape([B, T, this.heads, C / this.heads]); // [B, T, H, D]
    const [q, k, v] = [this.query, this.key, this.value].map((linear) => split(linear.forward(x)));
    return scaledDotProductAttention(q!, k!, v!, {
      layout: 'bthd',
      keyPaddingMask: attentionMask,
      segments,
      dropout: this.training ? this.dropout : 0,
      rng: this.rng,
    }).reshape([B, T, C]);
  }
}

class BertAttention extends Module {
  readonly self: BertSelfAttention;
  readonly output: BertOutput;

  constructor(parts: BertParts) {
    super();
    this.self = new BertSelfAttention(parts);
    this.output = new BertOutput(parts.config.hiddenSize, parts);
  }

  forward(x: Tensor, input: ModelInput): Tensor {
    return this.output.forward(this.self.forward(x, input), x);
  }
}

class BertIntermediate extends Module {
  readonly dense: LinearLike; // [C] -> [F]

  constructor({ config, weights }: BertParts) {
    super();
    this.dense = weights.linear(config.hiddenSize, config.intermediateSize, { bias: true });
  }
}

/** A post-norm block: attention and feed-forward, each added to its input and then normed. */
class BertLayer extends Module {
  readonly attention: BertAttention;
  readonly intermediate: BertIntermediate;
  readonly output: BertOutput;
  readonly #activation: (x: Tensor) => Tensor;

  constructor(parts: BertParts) {
    super();
    this.attention = new BertAttention(parts);
    this.intermediate = new BertIntermediate(parts);
    this.output = new BertOutput(parts.config.intermediateSize, parts);
    this.#activation = activationOf(parts.config.hiddenAct);
  }

  forward(x: Tensor, input: ModelInput): Tensor {
    return scope(() => {
      const attended = this.attention.forward(x, input);
      const hidden = this.#activation(this.intermediate.dense.forward(attended)); // [B, T, F]
      return this.output.forward(hidden, attended);
    });
  }
}

class BertEncoder extends Module {
  readonly layer: BertLayer[];

  constructor(parts: BertParts) {
    super();
    this.layer = Array.from({ length: parts.config.numHiddenLayers }, () => new BertLayer(parts));
  }
}

class BertPooler extends Module {
  readonly dense: Linear; // [C] -> [C]

  constructor({ config, weights }: BertParts) {
    super();
    this.dense = weights.linear(config.hiddenSize, config.hiddenSize, { bias: true });
  }

  /** `tanh(dense(state of the first token))`, `[B, T, C] -> [B, C]`. */
  forward(states: Tensor): Tensor {
    const [B, , C] = states.shape as [number, number, number];
    return this.dense.forward(states.narrow(1, 0, 1).reshape([B, C])).tanh();
  }
}

/** The encoder without a head: `[B, T]` ids -> `[B, T, C]` states (Devlin et al. 2019, arXiv 1810.04805). */
export class BertModel extends Module {
  readonly embeddings: BertEmbeddings;
  readonly encoder: BertEncoder;
  readonly pooler: BertPooler | null;
  readonly config: BertConfig;

  constructor(parts: BertParts, { pooler }: { pooler: boolean }) {
    super();
    this.config = parts.config;
    this.embeddings = new BertEmbeddings(parts);
    this.encoder = new BertEncoder(parts);
    this.pooler = pooler ? new BertPooler(parts) : null;
  }

  /** The last state, and all of them if asked for. */
  forward(input: BertInput): { states: Tensor; hiddenStates: Tensor[] | null } {
    return scope(() => {
      let states = this.embeddings.forward(input);
      const hiddenStates = input.outputHiddenStates ? [states] : null;
      for (const layer of this.encoder.layer) {
        states = layer.forward(states, input);
        hiddenStates?.push(states);
      }
      return { states, hiddenStates };
    });
  }
}
