import type { Linear } from '@burin/nn';
import { scope, type Tensor } from '@burin/tensor';
import type { CausalInput } from './causal-model.js';
import { FamilyModel, type ModelParts } from './family.js';
import { type GPTNeoXConfig, gptNeoX } from './gpt-neox-config.js';
import { GPTNeoXModel } from './gpt-neox-model.js';
import { causalLoss } from './head-loss.js';
import { causalOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';
import { tiedHead } from './weights.js';

/** GPT-NeoX, or Pythia, with its language-model head. */
export class GPTNeoXForCausalLM extends FamilyModel<GPTNeoXConfig> {
  static readonly architecture = 'GPTNeoXForCausalLM';
  static readonly family = gptNeoX;
  readonly gpt_neox: GPTNeoXModel;
  readonly embedOut: Linear; // [C] -> [V]

  constructor(parts: ModelParts<GPTNeoXConfig>) {
    super();
    const { hiddenSize, vocabSize, tieWordEmbeddings } = parts.config;
    this.gpt_neox = new GPTNeoXModel(parts);
    this.embedOut = tieWordEmbeddings
      ? tiedHead(this.gpt_neox.embedIn)
      : parts.weights.linear(hiddenSize, vocabSize, { bias: false });
  }

  get config(): GPTNeoXConfig {
    return this.gpt_neox.config;
  }

  /** Logits of the next token at each place, `[B, T, V]`, and the loss of `labels` `[B, T]`, moved by one here. */
  forward(input: CausalInput & LossInput): ModelOutput {
    return scope(() => causalOutput(this.embedOut, this.gpt_neox.forward(input), input));
  }

  /** The loss that `forward` would return, without its logits. @throws RangeError if there are no labels */
  loss(input: ModelInput & LossInput): Tensor {
    return scope(() => causalLoss('GPTNeoXForCausalLM', this.embedOut, this.gpt_neox, input));
  }
}
