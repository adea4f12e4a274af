import { type DType, full, type Generator, rand, randn, type Shape, type Tensor } from '@burin/tensor';
import { Parameter } from './parameter.js';

export interface InitOptions {
  rng: Generator;
  /** How the values are stored; they are drawn as float32. */
  dtype?: DType;
}

/** All zeros. */
export function zeros(shape: Shape, options: { dtype?: DType } = {}): Parameter {
  return new Parameter(full(shape, 0, options));
}

/** All ones. */
export function ones(shape: Shape, options: { dtype?: DType } = {}): Parameter {
  return new Parameter(full(shape, 1, options));
}

/** Uniform in [low, high). */
export function uniform(shape: Shape, low: number, high: number, options: InitOptions): Parameter {
  return stored(rand(shape, { rng: options.rng, low, high }), options);
}

/** Normal with a mean and a standard deviation. */
export function normal(shape: Shape, mean: number, std: number, options: InitOptions): Parameter {
  return stored(randn(shape, { rng: options.rng, mean, std }), options);
}

/**
 * Uniform in ±√(6 / ((1 + a²) · fanIn)), fan-in being the last axis; a is the negative slope of a leaky ReLU.
 * PyTorch's Linear and PEFT's LoRA A use a = √5, which gives ±1/√fanIn.
 *
 * @see He et al. 2015, https://arxiv.org/abs/1502.01852
 */
export function kaimingUniform(shape: Shape, options: InitOptions & { a?: number }): Parameter {
  const { a = Math.sqrt(5) } = options;
  const bound = Math.sqrt(6 / ((1 + a * a) * fanIn(shape)));
  return uniform(shape, -bound, bound, options);
}

/** Uniform in ±√(6 / (fanIn + fanOut)). @see Glorot & Bengio 2010 */
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
