import type { Linear } from '@burin/nn';
import { scope, type Tensor } from '@burin/tensor';
import type { CausalInput } from './causal-model.js';
import { FamilyModel, type ModelParts } from './family.js';
import { type GPTNeoConfig, gptNeo } from './gpt-neo-config.js';
import { GPTNeoModel } from './gpt-neo-model.js';
import { causalLoss } from './head-loss.js';
import { causalOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';
import { tiedHead } from './weights.js';

/** GPT-Neo with its language-model head. */
export class GPTNeoForCausalLM extends FamilyModel<GPTNeoConfig> {
  static readonly architecture = 'GPTNeoForCausalLM';
  static readonly family = gptNeo;
  readonly transformer: GPTNeoModel;
  readonly lmHead: Linear; // [C] -> [V]; its weight is the embedding's where tied

  constructor(parts: ModelParts<GPTNeoConfig>) {
    super();
    const { hiddenSize, vocabSize, tieWordEmbeddings } = parts.config;
    this.transformer = new GPTNeoModel(parts);
    this.lmHead = tieWordEmbeddings
      ? tiedHead(this.transformer.wte)
      : parts.weights.linear(hiddenSize, vocabSize, { bias: false });
  }

  get config(): GPTNeoConfig {
    return this.transformer.config;
  }

  /** Logits of the next token at each place, `[B, T, V]`, and the loss of `labels` `[B, T]`, moved by one here. */
  forward(input: CausalInput & LossInput): ModelOutput {
    return scope(() => causalOutput(this.lmHead, this.transformer.forward(input), input));
  }

  /** The loss that `forward` would return, without its logits. @throws RangeError if there are no labels */
  loss(input: ModelInput & LossInput): Tensor {
    return scope(() => causalLoss('GPTNeoForCausalLM', this.lmHead, this.transformer, input));
  }
}
