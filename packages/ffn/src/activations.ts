import { gelu, quickGelu, relu, sigmoid, silu, type Tensor, tanh } from '@burin/tensor';

/** A function of each element. */
export type Activation = (x: Tensor) => Tensor;

/** Hugging Face's names: what `hidden_act` in a config.json says. */
export type ActivationName = keyof typeof ACTIVATIONS;

const geluTanh: Activation = (x) => gelu(x, { approximate: 'tanh' });

const ACTIVATIONS = {
  relu: (x: Tensor) => relu(x),
  gelu: (x: Tensor) => gelu(x), // with the error function, exact
  gelu_new: geluTanh, // GPT-2
  gelu_pytorch_tanh: geluTanh, // Gemma
  silu: (x: Tensor) => silu(x), // Llama
  swish: (x: Tensor) => silu(x),
  quick_gelu: (x: Tensor) => quickGelu(x), // CLIP
  tanh: (x: Tensor) => tanh(x),
  sigmoid: (x: Tensor) => sigmoid(x),
} as const satisfies Record<string, Activation>;

/** The names that {@link activationOf} knows. */
export const activationNames = Object.keys(ACTIVATIONS) as readonly ActivationName[];

/**
 * The activation of a Hugging Face name. `gelu` is the exact form; `gelu_new` and `gelu_pytorch_tanh` are the tanh one.
 *
 * @throws RangeError that lists the names, if there is none such
 * @example
 * const act = activationOf(config.hidden_act);
 */
export function activationOf(name: string): Activation {
  if (Object.hasOwn(ACTIVATIONS, name)) return ACTIVATIONS[name as ActivationName];
  throw new RangeError(`activationOf: there is no '${name}': expected one of ${activationNames.join(', ')}`);
}

/** `x · sigmoid(beta · x)`, Swish; beta 1 is SiLU. Ramachandran et al. 2017, https://arxiv.org/abs/1710.05941. */
export function swish(beta: number): Activation {
  if (!Number.isFinite(beta)) throw new RangeError(`swish: beta must be a finite number, got ${beta}`);
  return (x) => silu(x, beta);
}
