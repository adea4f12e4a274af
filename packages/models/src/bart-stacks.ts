import { type Dropout, type Embedding, Module } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { scope, type Tensor } from '@burin/tensor';
import { BartDecoderLayer, BartEncoderLayer, type BartParts } from './bart-layers.js';
import { drop, dropoutOf } from './drop.js';
import type { States } from './heads.js';
import { runLayers } from './layer-stack.js';
import { learnedPositions } from './learned-positions.js';
import { checkInput, type ModelInput, type Positions, positionsFrom } from './model-input.js';
import type { DecoderInput, EncoderInput } from './seq2seq-model.js';

/** The first rows of BART's position tables are never read. */
const OFFSET = 2;

/** What both sides share: the embeddings, normed, and a list of layers. */
abstract class BartStack<L extends Module> extends Module {
  readonly embedTokens: Embedding; // [V, C], shared by both sides
  readonly embedPositions: Embedding; // [2 + positions, C]
  readonly layers: L[];
  readonly layernormEmbedding: LayerNorm;
  readonly dropout: Dropout | null;
  readonly scale: number;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;

  constructor({ config, weights, rng }: BartParts, embedTokens: Embedding, layers: L[]) {
    super();
    const { hiddenSize: width } = config;
    this.embedTokens = embedTokens;
    this.embedPositions = weights.embedding(config.maxPositionEmbeddings + OFFSET, width);
    this.layers = layers;
    this.layernormEmbedding = new LayerNorm(width);
    this.dropout = dropoutOf(config.dropout, rng);
    this.scale = config.scaleEmbedding ? Math.sqrt(width) : 1;
  }

  /** Embeds, and runs the layers; hidden states are those between. `shared` is what all layers read. */
  protected run<S extends readonly Tensor[]>(
    who: string,
    input: ModelInput,
    shared: S,
    layer: (layer: L, index: number, x: Tensor, ...shared: S) => Tensor,
  ): States {
    const [batch, tokens] = checkInput(who, input);
    const past = input.cache?.[0]?.length ?? 0;
    const { ids, max } = input.positions ?? positionsFrom(past, batch, tokens, input.inputIds.device);
    const rows: Positions = { ids: ids.to('float32').add(OFFSET).to('int32'), max: max + OFFSET };
    const places = learnedPositions(who, this.embedPositions, rows, OFFSET);
    const words = this.embedTokens.forward(input.inputIds);
    const scaled = this.scale === 1 ? words : words.mul(this.scale);
    const embedded = drop(this.dropout, this.layernormEmbedding.forward(scaled.add(places))); // [B, T, C]
    const stack = {
      layers: this.layers,
      norm: null,
      recompute: this.gradientCheckpointing && this.training,
      outputHiddenStates: input.outputHiddenStates,
    };
    return runLayers(stack, embedded, shared, layer);
  }
}

/** The encoder: `[B, S]` ids -> `[B, S, C]` states. */
export class BartEncoder extends BartStack<BartEncoderLayer> {
  constructor(parts: BartParts, embedTokens: Embedding) {
    const { layers: length } = parts.config.encoder;
    super(
      parts,
      embedTokens,
      Array.from({ length }, () => new BartEncoderLayer(parts)),
    );
  }

  forward(input: EncoderInput): States {
    return scope(() =>
      this.run('BartEncoder', input, [], (layer, _, x) => layer.forward(x, input.attentionMask ?? null)),
    );
  }
}

/** The decoder: `[B, T]` ids and the encoder's states -> `[B, T, C]` states. */
export class BartDecoder extends BartStack<BartDecoderLayer> {
  constructor(parts: BartParts, embedTokens: Embedding) {
    const { layers: length } = parts.config.decoder;
    super(
      parts,
      embedTokens,
      Array.from({ length }, (_, i) => new BartDecoderLayer(parts, i)),
    );
  }

  forward(input: DecoderInput): States {
    return scope(() =>
      this.run('BartDecoder', input, [input.memory], (layer, _, x, memory) => layer.forward(x, { ...input, memory })),
    );
  }
}
