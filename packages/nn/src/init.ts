import { type DType, full, type Generator, rand, randn, type Shape, type Tensor } from '@burin/tensor';
import { Parameter } from './parameter.js';

/** What every random initialiser needs. */
export interface InitOptions {
  /** Draws the values. */
  rng: Generator;
  /** How the values are stored; they are drawn as float32. Default float32. */
  dtype?: DType;
}

/** What {@link kaimingUniform} can be told besides. */
export interface KaimingOptions extends InitOptions {
  /** Negative slope of the leaky ReLU that follows. Default √5, as PyTorch's Linear and PEFT's LoRA A. */
  a?: number;
}

/** A parameter of zeros. */
export function zeros(shape: Shape, options: { dtype?: DType } = {}): Parameter {
  return new Parameter(full(shape, 0, options));
}

/** A parameter of ones. */
export function ones(shape: Shape, options: { dtype?: DType } = {}): Parameter {
  return new Parameter(full(shape, 1, options));
}

/** A parameter uniform in [low, high). */
export function uniform(shape: Shape, low: number, high: number, options: InitOptions): Parameter {
  return stored(rand(shape, { rng: options.rng, low, high }), options);
}

/** A normal parameter with a mean and a standard deviation. */
export function normal(shape: Shape, mean: number, std: number, options: InitOptions): Parameter {
  return stored(randn(shape, { rng: options.rng, mean, std }), options);
}

/**
 * A parameter uniform in ±√(6 / ((1 + a²) · fanIn)), which keeps the variance through a leaky ReLU of negative slope a.
 * With a = √5 it is ±1/√fanIn.
 *
 * @param shape - `[out, in]`: the fan-in is the last axis
 * @see He et al. 2015, https://arxiv.org/abs/1502.01852
 */
export function kaimingUniform(shape: Shape, options: KaimingOptions): Parameter {
  const { a = Math.sqrt(5) } = options;
  const bound = Math.sqrt(6 / ((1 + a * a) * fanIn(shape)));
  return uniform(shape, -bound, bound, options);
}

/**
 * A parameter uniform in ±√(6 / (fanIn + fanOut)), which keeps the variance forwards and backwards.
 *
 * @param shape - `[out, in]`
 * @see Glorot & Bengio 2010, https://proceedings.mlr.press/v9/glorot10a.html
 */
export function xavierUniform(shape: Shape, options: InitOptions): Parameter {
  const bound = Math.sqrt(6 / (fanIn(shape) + (shape[0] ?? 1)));
  return uniform(shape, -bound, bound, options);
}

function fanIn(shape: Shape): number {
  return Math.max(1, shape.at(-1) ?? 1);
}

function stored(values: Tensor, { dtype = 'float32' }: InitOptions): Parameter {
  if (dtype === 'float32') return new Parameter(values);
  const parameter = new Parameter(values.to(dtype));
  values.dispose();
  return parameter;
}
