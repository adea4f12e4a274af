import { activationOf } from '@burin/ffn';
import { type LinearLike, Module } from '@burin/nn';
import type { LayerNorm } from '@burin/norm';
import type { Tensor } from '@burin/tensor';
import { type ModernBertParts, modernBertNorm, residualGain } from './modernbert-layer.js';

/** What all heads of a ModernBERT begin with: `norm(activation(dense(x)))`, `[..., C] -> [..., C]`. */
export class ModernBertPredictionHead extends Module {
  readonly dense: LinearLike; // [C] -> [C]
  readonly norm: LayerNorm;
  readonly #activation: (x: Tensor) => Tensor;

  constructor({ config, weights }: ModernBertParts) {
    super();
    const { hiddenSize: width, classifierBias: bias } = config;
    this.dense = weights.linear(width, width, { bias, gain: residualGain(config) });
    this.norm = modernBertNorm(config);
    this.#activation = activationOf(config.classifierActivation);
  }

  forward(x: Tensor): Tensor {
    return this.norm.forward(this.#activation(this.dense.forward(x)));
  }
}
