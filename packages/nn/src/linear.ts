import { type DType, type Generator, linear, ShapeError, type Tensor } from '@burin/tensor';
import { checkLayerOptions, checkParameter } from './construction-checks.js';
import * as init from './init.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';

/** What stands for a Linear: a plain one, a 4-bit one, one with an adapter. Whoever wraps one asks for nothing else. */
export interface LinearLike extends Module {
  readonly inFeatures: number;
  readonly outFeatures: number;
  readonly bias: Parameter | null;
  /** It is a Conv1D, or stands for one: a checkpoint has its weight as `[in, out]`. Left out: it does not. */
  readonly storesTransposed?: boolean;
  /** `[..., in] -> [..., out]` */
  forward(x: Tensor): Tensor;
  /** The weight as float32 `[out, in]`, however it is stored. May share the weight's memory: read it, do not change it. */
  floatWeight(): Tensor;
}

/** A new {@link Linear}. */
export interface LinearOptions {
  /** Default true. */
  bias?: boolean;
  /** Draws the weights. */
  rng: Generator;
  /** How weight and bias are stored: float32 (default), float16 or bfloat16. */
  dtype?: DType;
}

/** Parameters that are there already. */
interface LinearParameters {
  weight: Parameter;
  bias: Parameter | null;
}

/**
 * `y = x · weightᵀ + bias`, `[..., in] -> [..., out]`; sums in float32 whatever the weight is stored as.
 *
 * @example
 * const layer = new Linear(64, 2, { rng: new Generator(0) });
 * layer.forward(ones([5, 64])).shape; // [5, 2]
 */
export class Linear extends Module implements LinearLike {
  readonly weight: Parameter; // [out, in]
  readonly bias: Parameter | null; // [out]

  /**
   * A new one, initialised as PyTorch does: weight and bias uniform in ±1/√in. For parameters that are there already see
   * {@link Linear.from}.
   *
   * @throws RangeError if a width is not a whole number of 1 or more; DtypeError if `dtype` is not floating
   */
  constructor(inFeatures: number, outFeatures: number, options: LinearOptions | LinearParameters) {
    super();
    checkLayerOptions('Linear', options);
    if ('weight' in options) {
      this.weight = options.weight;
      this.bias = options.bias;
      return;
    }
    for (const width of [inFeatures, outFeatures]) {
      if (!Number.isInteger(width) || width < 1) {
        throw new RangeError(`Linear: widths must be whole numbers of 1 or more, got ${inFeatures} and ${outFeatures}`);
      }
    }
    const bound = 1 / Math.sqrt(inFeatures);
    this.weight = init.kaimingUniform([outFeatures, inFeatures], options);
    this.bias = options.bias === false ? null : init.uniform([outFeatures], -bound, bound, options);
  }

  /**
   * One of parameters that are there already; they may be shared with another module.
   *
   * @param weight - `[out, in]`
   * @param bias - `[out]`
   * @throws ShapeError if they have other shapes; TypeError for a plain tensor that needs no gradient
   */
  static from(weight: Parameter, bias: Parameter | null = null): Linear {
    checkParameter('Linear.from: the weight', weight);
    checkParameter('Linear.from: the bias', bias);
    const [out, inner] = weight.shape;
    if (weight.shape.length !== 2) {
      throw new ShapeError(`Linear.from: the weight must be [out, in], got [${weight.shape}]`);
    }
    if (bias && `${bias.shape}` !== `${out}`) {
      throw new ShapeError(
        `Linear.from: the bias must have a number for each output: expected [${out}], got [${bias.shape}] ` +
          `(the weight is [${weight.shape}])`,
      );
    }
    return new Linear(inner!, out!, { weight, bias });
  }

  get inFeatures(): number {
    return this.weight.shape[1]!;
  }

  get outFeatures(): number {
    return this.weight.shape[0]!;
  }

  forward(x: Tensor): Tensor {
    return linear(x, this.weight, this.bias);
  }

  floatWeight(): Tensor {
    return this.weight.dtype === 'float32' ? this.weight.detach() : this.weight.detach().to('float32');
  }
}

/** Whether a module can stand for a Linear. */
export function isLinearLike(module: Module): module is LinearLike {
  const candidate: Partial<Record<keyof LinearLike, unknown>> = module;
  return typeof candidate.floatWeight === 'function' && typeof candidate.inFeatures === 'number';
}
