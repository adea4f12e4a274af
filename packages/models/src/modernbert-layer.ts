import { gatedActivation } from '@burin/ffn';
import { type Dropout, type LinearLike, Module, type RotaryEmbedding } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { type Generator, scope, type Tensor } from '@burin/tensor';
import { attend } from './attend.js';
import { drop, dropoutOf } from './drop.js';
import type { ModelParts } from './family.js';
import type { ModelInput, Positions } from './model-input.js';
import type { ModernBertConfig } from './modernbert-config.js';

/** What a ModernBERT reads. */
export type ModernBertInput = Omit<ModelInput, 'cache'>;

/** How layers are made. */
export type ModernBertParts = ModelParts<ModernBertConfig>;

/** What each layer is given besides its states. */
export interface ModernBertLayerInput {
  attentionMask: Tensor | null;
  segments: Tensor | null;
  positions: Positions;
}

/** A norm as the config has it, with or without a shift. */
export function modernBertNorm({ hiddenSize, normEps: eps, normBias: bias }: ModernBertConfig): LayerNorm {
  return new LayerNorm(hiddenSize, { eps, bias });
}

/** New weights that end in the residual stream are smaller, as there are 2 · layers of them. */
export function residualGain({ numHiddenLayers }: ModernBertConfig): number {
  return 1 / Math.sqrt(2 * numHiddenLayers);
}

class ModernBertAttention extends Module {
  readonly Wqkv: LinearLike; // [C] -> [3 · C]: queries, keys, values
  readonly Wo: LinearLike; // [C] -> [C]
  readonly outDrop: Dropout | null;
  readonly heads: number;
  readonly window: number | null; // null in a global layer
  readonly dropout: number;
  readonly rng: Generator | null;
  readonly #rotary: RotaryEmbedding;

  constructor({ config, weights, rng }: ModernBertParts, layer: number, rotary: RotaryEmbedding) {
    super();
    const { hiddenSize: width, attentionBias: bias, attentionDropout } = config;
    this.Wqkv = weights.linear(width, 3 * width, { bias });
    this.Wo = weights.linear(width, width, { bias, gain: residualGain(config) });
    this.outDrop = dropoutOf(attentionDropout, rng);
    this.heads = config.numAttentionHeads;
    const local = config.layerTypes[layer] === 'sliding_attention';
    this.window = local ? Math.floor(config.localAttention / 2) + 1 : null; // so many on each side, and itself
    this.dropout = rng ? attentionDropout : 0;
    this.rng = rng;
    this.#rotary = rotary;
  }

  forward(x: Tensor, { positions, attentionMask, segments }: ModernBertLayerInput): Tensor {
    const [B, T, C] = x.shape as [number, number, number];
    const { heads, window, rng } = this;
    const stacked = this.Wqkv.forward(x); // [B, T, 3 · C]
    const part = (i: number) => stacked.narrow(2, i * C, C);
    const turn = (each: Tensor) =>
      this.#rotary
        .apply(each.reshape([B, T, heads, C / heads]), positions.ids, { maxPosition: positions.max })
        .reshape([B, T, C]);
    const dropout = this.training ? this.dropout : 0;
    const settings = { heads, window, attentionMask, segments, dropout, rng };
    return drop(this.outDrop, this.Wo.forward(attend(turn(part(0)), turn(part(1)), part(2), settings)));
  }
}

class ModernBertMlp extends Module {
  readonly Wi: LinearLike; // [C] -> [2 · F]: gate, up
  readonly Wo: LinearLike; // [F] -> [C]
  readonly drop: Dropout | null;
  readonly #config: ModernBertConfig;

  constructor({ config, weights, rng }: ModernBertParts) {
    super();
    const { hiddenSize: width, intermediateSize: hidden, mlpBias: bias } = config;
    this.Wi = weights.linear(width, 2 * hidden, { bias });
    this.Wo = weights.linear(hidden, width, { bias, gain: residualGain(config) });
    this.drop = dropoutOf(config.mlpDropout, rng);
    this.#config = config;
  }

  forward(x: Tensor): Tensor {
    const { intermediateSize: hidden, hiddenActivation } = this.#config;
    const stacked = this.Wi.forward(x); // [B, T, 2 · F]
    const [gate, up] = [stacked.narrow(2, 0, hidden), stacked.narrow(2, hidden, hidden)];
    return this.Wo.forward(drop(this.drop, gatedActivation(gate, up, hiddenActivation)));
  }
}

/** One block: `x + attention(norm(x))`, then `x + mlp(norm(x))`. The first reads embeddings that are normed already. */
export class ModernBertLayer extends Module {
  readonly attnNorm: LayerNorm | null;
  readonly attn: ModernBertAttention;
  readonly mlpNorm: LayerNorm;
  readonly mlp: ModernBertMlp;

  constructor(parts: ModernBertParts, layer: number, rotary: RotaryEmbedding) {
    super();
    this.attnNorm = layer === 0 ? null : modernBertNorm(parts.config);
    this.attn = new ModernBertAttention(parts, layer, rotary);
    this.mlpNorm = modernBertNorm(parts.config);
    this.mlp = new ModernBertMlp(parts);
  }

  forward(x: Tensor, input: ModernBertLayerInput): Tensor {
    return scope(() => {
      const normed = this.attnNorm ? this.attnNorm.forward(x) : x;
      const h = x.add(this.attn.forward(normed, input)); // [B, T, C]
      return h.add(this.mlp.forward(this.mlpNorm.forward(h)));
    });
  }
}
