import type { Embedding, Linear } from '@burin/nn';
import { scope, type Tensor } from '@burin/tensor';
import { FamilyModel } from './family.js';
import { causalOutput, type States } from './heads.js';
import { seq2seqForward, seq2seqLoss } from './seq2seq-forward.js';
import type { DecoderInput, EncoderInput, Seq2SeqInput, Seq2SeqOutput } from './seq2seq-model.js';
import { type T5Config, t5 } from './t5-config.js';
import type { T5Parts } from './t5-layers.js';
import { t5Words } from './t5-model.js';
import { T5Decoder, T5Encoder } from './t5-stacks.js';
import { tiedHead } from './weights.js';

/**
 * T5 with its language-model head: a text in, a text out. Positions are distances between tokens.
 *
 * @see Raffel et al. 2020, https://arxiv.org/abs/1910.10683
 * @example
 * const model = await T5ForConditionalGeneration.fromPretrained('models/t5-small');
 * const [ids] = await generateFromEncoder(model, [source]);
 */
export class T5ForConditionalGeneration extends FamilyModel<T5Config> {
  static readonly architecture = 'T5ForConditionalGeneration';
  static readonly family = t5;
  readonly shared: Embedding; // [V, C]
  readonly encoder: T5Encoder;
  readonly decoder: T5Decoder;
  readonly lmHead: Linear; // [C] -> [V]; its weight is the embedding's where tied
  readonly config: T5Config;

  constructor(parts: T5Parts) {
    super();
    const { config, weights } = parts;
    const { vocabSize, hiddenSize, tieWordEmbeddings } = config;
    this.config = config;
    this.shared = t5Words(parts);
    this.encoder = new T5Encoder(parts, this.shared);
    this.decoder = new T5Decoder(parts, this.shared);
    this.lmHead = tieWordEmbeddings
      ? tiedHead(this.shared)
      : weights.linear(hiddenSize, vocabSize, { bias: false, gain: Math.sqrt(hiddenSize) });
  }

  /** The encoder's states, `[B, S, C]`. */
  encode(input: EncoderInput): States {
    return this.encoder.forward(input);
  }

  /** Logits of the next token, `[B, T, V]`. */
  decode(input: DecoderInput) {
    return scope(() => causalOutput(this.lmHead, this.decoderStates(input), { ...input, labels: null }));
  }

  /** The decoder's states as the head reads them, `[B, T, C]`. */
  decoderStates(input: DecoderInput): States {
    return scope(() => {
      const { states, hiddenStates } = this.decoder.forward(input);
      const { scaleDecoderOutputs, hiddenSize } = this.config;
      const scaled = scaleDecoderOutputs ? states.mul(hiddenSize ** -0.5) : states;
      return { states: scaled, hiddenStates };
    });
  }

  /**
   * Logits of the next token at each place of the target, `[B, T, V]`, and the loss of `labels` `[B, T]`, from which the
   * decoder's input follows.
   */
  forward(input: Seq2SeqInput): Seq2SeqOutput {
    return scope(() => seq2seqForward('T5ForConditionalGeneration', this, input));
  }
  /** The loss that `forward` would return, without its logits. @throws RangeError if there are no labels */
  loss(input: Seq2SeqInput): Tensor {
    return scope(() => seq2seqLoss('T5ForConditionalGeneration', this, { head: this.lmHead }, input));
  }
}
