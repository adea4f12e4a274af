import type { Linear } from '@burin/nn';
import { scope, type Tensor } from '@burin/tensor';
import type { CausalInput } from './causal-model.js';
import { FamilyModel, type ModelParts } from './family.js';
import { causalLoss } from './head-loss.js';
import { causalOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';
import { type Phi3Config, phi3 } from './phi3-config.js';
import { Phi3Model } from './phi3-model.js';
import { tiedHead } from './weights.js';

/** Phi-3 with its language-model head. */
export class Phi3ForCausalLM extends FamilyModel<Phi3Config> {
  static readonly architecture = 'Phi3ForCausalLM';
  static readonly family = phi3;
  readonly model: Phi3Model;
  readonly lmHead: Linear; // [C] -> [V]; its weight is the embedding's where tied

  constructor(parts: ModelParts<Phi3Config>) {
    super();
    const { hiddenSize, vocabSize, tieWordEmbeddings } = parts.config;
    this.model = new Phi3Model(parts);
    this.lmHead = tieWordEmbeddings
      ? tiedHead(this.model.embedTokens)
      : parts.weights.linear(hiddenSize, vocabSize, { bias: false });
  }

  get config(): Phi3Config {
    return this.model.config;
  }

  /** Logits of the next token at each place, `[B, T, V]`, and the loss of `labels` `[B, T]`, moved by one here. */
  forward(input: CausalInput & LossInput): ModelOutput {
    return scope(() => causalOutput(this.lmHead, this.model.forward(input), input));
  }

  /** The loss that `forward` would return, without its logits. @throws RangeError if there are no labels */
  loss(input: ModelInput & LossInput): Tensor {
    return scope(() => causalLoss('Phi3ForCausalLM', this.lmHead, this.model, input));
  }
}
