import { type Dropout, type Embedding, type LinearLike, sinusoidalPositions } from '@burin/nn';
import { LayerNorm } from '@burin/norm';
import { scope, type Tensor } from '@burin/tensor';
import { drop, dropoutOf } from './drop.js';
import { FamilyModel } from './family.js';
import { causalOutput, type States } from './heads.js';
import { runLayers } from './layer-stack.js';
import { checkInput } from './model-input.js';
import { seq2seqForward, seq2seqLoss } from './seq2seq-forward.js';
import type { DecoderInput, EncoderInput, Seq2SeqInput, Seq2SeqOutput } from './seq2seq-model.js';
import { type TransformerConfig, transformer } from './transformer-config.js';
import { TransformerDecoderLayer, TransformerEncoderLayer, type TransformerParts } from './transformer-layers.js';

/** A list of layers and, perhaps, a norm after them. */
interface Stack<L> {
  layers: L[];
  norm: LayerNorm | null;
}

/**
 * The encoder-decoder of 2017, to train from nothing: a vocabulary each for source and target, sinusoidal positions.
 * Tensors have the names of PyTorch's `nn.Transformer`.
 *
 * @see Vaswani et al. 2017, https://arxiv.org/abs/1706.03762
 * @example
 * const model = Transformer.create(
 *   { srcVocab, tgtVocab, dModel: 128, nHeads: 4, nEncoderLayers: 2, nDecoderLayers: 2, dFf: 512 },
 *   { rng: new Generator(0) },
 * );
 */
export class Transformer extends FamilyModel<TransformerConfig> {
  static readonly architecture = 'Transformer';
  static readonly family = transformer;
  readonly srcEmbed: Embedding; // [source V, C]
  readonly tgtEmbed: Embedding; // [V, C]
  readonly transformer: { encoder: Stack<TransformerEncoderLayer>; decoder: Stack<TransformerDecoderLayer> };
  readonly generator: LinearLike; // [C] -> [V]
  readonly dropout: Dropout | null;
  readonly config: TransformerConfig;
  /** Recompute each layer in the backward pass instead of keeping what it made. */
  gradientCheckpointing = false;

  constructor(parts: TransformerParts) {
    super();
    const { config, weights, rng } = parts;
    const { hiddenSize: width, numEncoderLayers, numHiddenLayers, layerNormEps: eps } = config;
    const norm = () => (config.finalNorms ? new LayerNorm(width, { eps }) : null);
    this.config = config;
    this.srcEmbed = weights.embedding(config.sourceVocabSize, width);
    this.tgtEmbed = weights.embedding(config.vocabSize, width);
    const encoders = Array.from({ length: numEncoderLayers }, () => new TransformerEncoderLayer(parts));
    const decoders = Array.from({ length: numHiddenLayers }, (_, i) => new TransformerDecoderLayer(parts, i));
    this.transformer = { encoder: { layers: encoders, norm: norm() }, decoder: { layers: decoders, norm: norm() } };
    this.generator = weights.linear(width, config.vocabSize, { bias: true });
    this.dropout = dropoutOf(config.dropout, rng);
  }

  /** The encoder's states, `[B, S, C]`. */
  encode(input: EncoderInput): States {
    const mask = input.attentionMask ?? null;
    return scope(() => {
      const embedded = this.embed(this.srcEmbed, input, 0);
      const stack = this.stack(this.transformer.encoder, input);
      return runLayers(stack, embedded, [], (layer, _, x) => layer.forward(x, mask));
    });
  }

  /** Logits of the next token, `[B, T, V]`. */
  decode(input: DecoderInput) {
    return scope(() => causalOutput(this.generator, this.decoderStates(input), { ...input, labels: null }));
  }

  /** The decoder's states, `[B, T, C]`. */
  decoderStates(input: DecoderInput): States {
    return scope(() => {
      const embedded = this.embed(this.tgtEmbed, input, input.cache?.[0]?.length ?? 0);
      const stack = this.stack(this.transformer.decoder, input);
      return runLayers(stack, embedded, [input.memory], (layer, _, x, memory) =>
        layer.forward(x, { ...input, memory }),
      );
    });
  }

  /** Logits of the target's next token at each place, `[B, T, V]`, and the loss of `labels` `[B, T]`. */
  forward(input: Seq2SeqInput): Seq2SeqOutput {
    return scope(() => seq2seqForward('Transformer', this, input));
  }

  /** The loss that `forward` would return, without its logits. @throws RangeError if there are no labels */
  loss(input: Seq2SeqInput): Tensor {
    return scope(() => seq2seqLoss('Transformer', this, { head: this.generator }, input));
  }

  private stack<L>({ layers, norm }: Stack<L>, { outputHiddenStates }: EncoderInput) {
    return { layers, norm, recompute: this.gradientCheckpointing && this.training, outputHiddenStates };
  }

  /** Words times √C, and the waves of their places. */
  private embed(table: Embedding, input: EncoderInput, past: number): Tensor {
    const [, tokens] = checkInput('Transformer', input);
    const { hiddenSize: width } = this.config;
    const waves = sinusoidalPositions(past + tokens, width).narrow(0, past, tokens);
    return drop(this.dropout, table.forward(input.inputIds).mul(Math.sqrt(width)).add(waves)); // [B, T, C]
  }
}
