import { type LinearLike, Module } from '@burin/nn';
import { scope, type Tensor } from '@burin/tensor';
import type { BertConfig } from './bert-config.js';
import { BertEmbeddings } from './bert-embeddings.js';
import { BertLayer } from './bert-layer.js';
import type { BertInput, BertParts } from './bert-parts.js';
import { firstTokenStates, type States } from './heads.js';
import { runLayers } from './layer-stack.js';

class BertEncoder extends Module {
  readonly layer: BertLayer[];

  constructor(parts: BertParts) {
    super();
    this.layer = Array.from({ length: parts.config.numHiddenLayers }, () => new BertLayer(parts));
  }
}

class BertPooler extends Module {
  readonly dense: LinearLike; // [C] -> [C]

  constructor({ config, weights }: BertParts) {
    super();
    this.dense = weights.linear(config.hiddenSize, config.hiddenSize, { bias: true });
  }

  /** `tanh(dense(state of the first token))`, `[B, T, C] -> [B, C]`. */
  forward(states: Tensor): Tensor {
    return this.dense.forward(firstTokenStates(states)).tanh();
  }
}

/**
 * The encoder without a head, BERT's or RoBERTa's: `[B, T]` ids -> `[B, T, C]` states.
 *
 * @see Devlin et al. 2019, https://arxiv.org/abs/1810.04805
 */
export class BertModel extends Module {
  readonly embeddings: BertEmbeddings;
  readonly encoder: BertEncoder;
  readonly pooler: BertPooler | null;
  readonly config: BertConfig;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;

  /** With a pooler if a head reads the first token. */
  constructor(parts: BertParts, { pooler }: { pooler: boolean }) {
    super();
    this.config = parts.config;
    this.embeddings = new BertEmbeddings(parts);
    this.encoder = new BertEncoder(parts);
    this.pooler = pooler ? new BertPooler(parts) : null;
  }

  /**
   * The last state, and all of them if asked for.
   *
   * @throws ShapeError or DtypeError if a tensor does not fit `inputIds`; RangeError if a position is beyond the table
   */
  forward(input: BertInput): States {
    return scope(() => {
      const stack = {
        layers: this.encoder.layer,
        norm: null,
        recompute: this.gradientCheckpointing && this.training,
        outputHiddenStates: input.outputHiddenStates,
      };
      return runLayers(stack, this.embeddings.forward(input), [], (layer, _, x) => layer.forward(x, input));
    });
  }
}
