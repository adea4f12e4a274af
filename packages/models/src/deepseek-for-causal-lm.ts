import type { Linear } from '@burin/nn';
import { scope, type Tensor } from '@burin/tensor';
import type { CausalInput } from './causal-model.js';
import { type DeepseekV2Config, deepseekV2 } from './deepseek-config.js';
import { DeepseekV2Model } from './deepseek-model.js';
import { FamilyModel, type ModelParts } from './family.js';
import { causalLoss } from './head-loss.js';
import { causalOutput } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';
import { tiedHead } from './weights.js';

/** DeepSeek-V2 with its language-model head. */
export class DeepseekV2ForCausalLM extends FamilyModel<DeepseekV2Config> {
  static readonly architecture = 'DeepseekV2ForCausalLM';
  static readonly family = deepseekV2;
  readonly model: DeepseekV2Model;
  readonly lmHead: Linear; // [C] -> [V]; its weight is the embedding's where tied

  constructor(parts: ModelParts<DeepseekV2Config>) {
    super();
    const { hiddenSize, vocabSize, tieWordEmbeddings } = parts.config;
    this.model = new DeepseekV2Model(parts);
    this.lmHead = tieWordEmbeddings
      ? tiedHead(this.model.embedTokens)
      : parts.weights.linear(hiddenSize, vocabSize, { bias: false });
  }

  get config(): DeepseekV2Config {
    return this.model.config;
  }

  /** Logits of the next token at each place, `[B, T, V]`, and the loss of `labels` `[B, T]`, moved by one here. */
  forward(input: CausalInput & LossInput): ModelOutput {
    return scope(() => causalOutput(this.lmHead, this.model.forward(input), input));
  }

  /** The loss that `forward` would return, without its logits. @throws RangeError if there are no labels */
  loss(input: ModelInput & LossInput): Tensor {
    return scope(() => causalLoss('DeepseekV2ForCausalLM', this.lmHead, this.model, input));
  }
}
