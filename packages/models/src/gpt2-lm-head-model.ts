import type { Linear } from '@burin/nn';
import { scope, type Tensor } from '@burin/tensor';
import type { CausalInput } from './causal-model.js';
import { FamilyModel, type ModelParts } from './family.js';
import { type Gpt2Config, gpt2 } from './gpt2-config.js';
import { GPT2Model } from './gpt2-model.js';
import { causalLoss } from './head-loss.js';
import { causalOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';
import { tiedHead } from './weights.js';

/**
 * GPT-2 with its language-model head.
 *
 * @example
 * const model = await GPT2LMHeadModel.fromPretrained('models/gpt2');
 */
export class GPT2LMHeadModel extends FamilyModel<Gpt2Config> {
  static readonly architecture = 'GPT2LMHeadModel';
  static readonly family = gpt2;
  readonly transformer: GPT2Model;
  readonly lmHead: Linear; // [C] -> [V]; its weight is the embedding's where tied

  constructor(parts: ModelParts<Gpt2Config>) {
    super();
    const { hiddenSize, vocabSize, tieWordEmbeddings } = parts.config;
    this.transformer = new GPT2Model(parts);
    this.lmHead = tieWordEmbeddings
      ? tiedHead(this.transformer.wte)
      : parts.weights.linear(hiddenSize, vocabSize, { bias: false });
  }

  get config(): Gpt2Config {
    return this.transformer.config;
  }

  /**
   * Logits of the next token at each place, `[B, T, V]`, and the loss of `labels` `[B, T]`: label t says what token t is;
   * they are moved by one here.
   */
  forward(input: CausalInput & LossInput): ModelOutput {
    return scope(() => causalOutput(this.lmHead, this.transformer.forward(input), input));
  }

  /** The loss that `forward` would return, without its logits. @throws RangeError if there are no labels */
  loss(input: ModelInput & LossInput): Tensor {
    return scope(() => causalLoss('GPT2LMHeadModel', this.lmHead, this.transformer, input));
  }
}
