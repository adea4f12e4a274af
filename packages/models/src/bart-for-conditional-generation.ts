import { buffer, type Linear } from '@burin/nn';
import { scope, type Tensor, zeros } from '@burin/tensor';
import { type BartConfig, bart } from './bart-config.js';
import type { BartParts } from './bart-layers.js';
import { BartModel } from './bart-model.js';
import { FamilyModel } from './family.js';
import { causalOutput, type States } from './heads.js';
import { seq2seqForward, seq2seqLoss } from './seq2seq-forward.js';
import type { DecoderInput, EncoderInput, Seq2SeqInput, Seq2SeqOutput } from './seq2seq-model.js';
import { tiedHead } from './weights.js';

/**
 * BART with its language-model head: a text in, a text out.
 *
 * @see Lewis et al. 2019, https://arxiv.org/abs/1910.13461
 * @example
 * const model = await BartForConditionalGeneration.fromPretrained('models/bart-base');
 * const [ids] = await generateFromEncoder(model, [source]);
 */
export class BartForConditionalGeneration extends FamilyModel<BartConfig> {
  static readonly architecture = 'BartForConditionalGeneration';
  static readonly family = bart;
  readonly model: BartModel;
  readonly lmHead: Linear; // [C] -> [V]; its weight is the embedding's where tied
  readonly final_logits_bias: Tensor; // [1, V], not learned
  readonly config: BartConfig;

  constructor(parts: BartParts) {
    super();
    const { config, weights } = parts;
    this.config = config;
    this.model = new BartModel(parts);
    this.lmHead = config.tieWordEmbeddings
      ? tiedHead(this.model.shared)
      : weights.linear(config.hiddenSize, config.vocabSize, { bias: false });
    this.final_logits_bias = buffer(zeros([1, config.vocabSize]));
  }

  /** The encoder's states, `[B, S, C]`. */
  encode(input: EncoderInput): States {
    return this.model.encode(input);
  }

  /** Logits of the next token, `[B, T, V]`. */
  decode(input: DecoderInput) {
    return scope(() => {
      const states = this.decoderStates(input);
      const { logits, hiddenStates } = causalOutput(this.lmHead, states, { ...input, labels: null });
      return { logits: logits.add(this.final_logits_bias), hiddenStates };
    });
  }

  /** The decoder's states, `[B, T, C]`. */
  decoderStates(input: DecoderInput): States {
    return this.model.decoderStates(input);
  }

  /**
   * Logits of the next token at each place of the target, `[B, T, V]`, and the loss of `labels` `[B, T]`, from which the
   * decoder's input follows.
   */
  forward(input: Seq2SeqInput): Seq2SeqOutput {
    return scope(() => seq2seqForward('BartForConditionalGeneration', this, input));
  }
  /** The loss that `forward` would return, without its logits. @throws RangeError if there are no labels */
  loss(input: Seq2SeqInput): Tensor {
    return scope(() => {
      const bias = this.final_logits_bias.reshape([-1]);
      return seq2seqLoss('BartForConditionalGeneration', this, { head: this.lmHead, bias }, input);
    });
  }
}
