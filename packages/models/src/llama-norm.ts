import { init, Module, type Parameter } from '@burin/nn';
import { RmsNorm, rmsNorm } from '@burin/norm';
import { scope, type Tensor } from '@burin/tensor';
import type { LlamaConfig } from './llama-config.js';

/** A norm over the last axis. */
export interface LlamaNorm extends Module {
  readonly weight: Parameter;
  forward(x: Tensor): Tensor;
}

/**
 * RMSNorm that multiplies by 1 + weight, so that weights begin at 0 and decay towards no scale (Gemma).
 *
 * @see Gemma Team 2024, https://arxiv.org/abs/2403.08295
 */
class UnitOffsetRmsNorm extends Module implements LlamaNorm {
  readonly weight: Parameter; // [C], zeros at first
  readonly eps: number;

  constructor(width: number, { eps }: { eps: number }) {
    super();
    this.weight = init.zeros([width]);
    this.eps = eps;
  }

  forward(x: Tensor): Tensor {
    return scope(() => rmsNorm(x, this.weight.add(1), { eps: this.eps }));
  }
}

/** The norm that a member of the family has. */
export function llamaNorm({ unitOffsetNorm, rmsNormEps: eps }: LlamaConfig, width: number): LlamaNorm {
  return unitOffsetNorm ? new UnitOffsetRmsNorm(width, { eps }) : new RmsNorm(width, { eps });
}
