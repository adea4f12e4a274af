import { matmul, ShapeError, scope, type Tensor, transpose } from '@burin/tensor';
import { checkParameter } from './construction-checks.js';
import type { LinearLike } from './linear.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';

/**
 * A Linear that stores its weight as `[in, out]`: `y = x · weight + bias`, `[..., in] -> [..., out]`. GPT-2 checkpoints
 * hold theirs so, and Hugging Face calls the class `Conv1D`, though nothing is convolved.
 *
 * @example
 * const layer = new Conv1D(new Parameter(zeros([64, 192])), new Parameter(zeros([192])));
 * layer.forward(ones([5, 64])).shape; // [5, 192]
 */
export class Conv1D extends Module implements LinearLike {
  readonly weight: Parameter; // [in, out]
  readonly bias: Parameter | null; // [out]

  /**
   * One of parameters that are there already.
   *
   * @param weight - `[in, out]`
   * @param bias - `[out]`
   * @throws ShapeError if they have other shapes; TypeError for a plain tensor that needs no gradient
   */
  constructor(weight: Parameter, bias: Parameter | null = null) {
    super();
    checkParameter('Conv1D: the weight', weight);
    checkParameter('Conv1D: the bias', bias);
    if (weight.shape.length !== 2) {
      throw new ShapeError(`Conv1D: the weight must be [in, out], got [${weight.shape}]`);
    }
    if (bias && `${bias.shape}` !== `${weight.shape[1]}`) {
      throw new ShapeError(
        `Conv1D: the bias must have a number for each output: expected [${weight.shape[1]}], got [${bias.shape}] ` +
          `(the weight is [${weight.shape}])`,
      );
    }
    this.weight = weight;
    this.bias = bias;
  }

  get storesTransposed(): boolean {
    return true;
  }

  get inFeatures(): number {
    return this.weight.shape[0]!;
  }

  get outFeatures(): number {
    return this.weight.shape[1]!;
  }

  /** `[..., in] -> [..., out]`. @throws ShapeError if the last axis of `x` is not as long as the weight's first */
  forward(x: Tensor): Tensor {
    return scope(() => {
      const rows = matmul(x.reshape([-1, x.shape.at(-1) ?? 1]), this.weight); // one product for all leading axes
      const y = this.bias ? rows.add(this.bias) : rows;
      return y.reshape([...x.shape.slice(0, -1), this.outFeatures]);
    });
  }

  /** The weight as a Linear has it, float32 `[out, in]`: a copy. */
  floatWeight(): Tensor {
    return scope(() => transpose(this.weight.detach().to('float32'), 0, 1));
  }
}
