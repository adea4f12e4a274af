import { record } from '../autograd.js';
import { checkChoice } from '../check-options.js';
import type { UnaryOp } from '../kernels/elementwise.js';
import { scope } from '../scope.js';
import { Tensor } from '../tensor.js';
import { widen, widened } from './operand.js';

/** Runs one elementwise kernel and records its gradient, which is a kernel too and reads x alone. */
function unary(op: UnaryOp, input: Tensor, parameter = 0): Tensor {
  return widened(op, [input], (x) => apply(op, x, parameter));
}

function apply(op: UnaryOp, x: Tensor, parameter: number): Tensor {
  const y = Tensor.allocate(x.shape, 'float32', x.device);
  x.device.kernels.unary(op, x.storage.buffer, y.storage.buffer, x.size, parameter);
  const linear = op === 'neg' || op === 'addScalar' || op === 'mulScalar';
  return record(op, [x], y, linear ? [] : [x], (g, { saved }) => {
    if (op === 'addScalar') return [g];
    if (linear) return [unary(op, g, parameter)];
    return [unaryBackward(op, saved[0]!, g, parameter)];
  });
}

function unaryBackward(op: UnaryOp, x: Tensor, g: Tensor, parameter: number): Tensor {
  const dx = Tensor.allocate(x.shape, 'float32', x.device);
  x.device.kernels.unaryBackward(op, x.storage.buffer, g.storage.buffer, dx.storage.buffer, x.size, parameter);
  return dx;
}

/** `−x` */
export const neg = (x: Tensor): Tensor => unary('neg', x);
/** `|x|`; its derivative at 0 is 0. */
export const abs = (x: Tensor): Tensor => unary('abs', x);
/** `eˣ` */
export const exp = (x: Tensor): Tensor => unary('exp', x);
/** Natural logarithm: −∞ at 0, NaN below. */
export const log = (x: Tensor): Tensor => unary('log', x);
/** `√x` */
export const sqrt = (x: Tensor): Tensor => unary('sqrt', x);
/** `1 / √x` */
export const rsqrt = (x: Tensor): Tensor => unary('rsqrt', x);
/** `1 / x` */
export const reciprocal = (x: Tensor): Tensor => unary('reciprocal', x);
/** `x²` */
export const square = (x: Tensor): Tensor => unary('square', x);
/** Sine, x in radians. */
export const sin = (x: Tensor): Tensor => unary('sin', x);
/** Cosine, x in radians. */
export const cos = (x: Tensor): Tensor => unary('cos', x);
/** Hyperbolic tangent. */
export const tanh = (x: Tensor): Tensor => unary('tanh', x);
/** `1 / (1 + e⁻ˣ)` */
export const sigmoid = (x: Tensor): Tensor => unary('sigmoid', x);
/** Error function. */
export const erf = (x: Tensor): Tensor => unary('erf', x);
/** `max(x, 0)`; its derivative at 0 is 0. */
export const relu = (x: Tensor): Tensor => unary('relu', x);
/** `x · sigmoid(1.702 x)`, as CLIP uses it. */
export const quickGelu = (x: Tensor): Tensor => unary('quickGelu', x);
/** `x · sigmoid(beta · x)`: SiLU, or Swish with a beta (Ramachandran et al. 2017, https://arxiv.org/abs/1710.05941). */
export const silu = (x: Tensor, beta = 1): Tensor => unary('silu', x, beta);
/** `x + value` */
export const addScalar = (x: Tensor, value: number): Tensor => unary('addScalar', x, value);
/** `x · value` */
export const mulScalar = (x: Tensor, value: number): Tensor => unary('mulScalar', x, value);
/** `x ** exponent` */
export const powScalar = (x: Tensor, exponent: number): Tensor => unary('powScalar', x, exponent);
/** `max(x, bound)` */
export const clampMin = (x: Tensor, bound: number): Tensor => unary('clampMin', x, bound);
/** `min(x, bound)` */
export const clampMax = (x: Tensor, bound: number): Tensor => unary('clampMax', x, bound);

/**
 * `x · Φ(x)` with the error function, or with `approximate: 'tanh'` the formula of GPT-2
 * (Hendrycks & Gimpel 2016, https://arxiv.org/abs/1606.08415).
 *
 * @throws RangeError for another approximation
 */
export function gelu(x: Tensor, { approximate = 'none' }: { approximate?: 'none' | 'tanh' } = {}): Tensor {
  checkChoice('gelu', 'approximate', approximate, ['none', 'tanh']);
  return unary(approximate === 'tanh' ? 'geluTanh' : 'geluErf', x);
}

/** −1, 0 or 1; NaN for NaN. Its gradient is 0 everywhere, so none is recorded. */
export function sign(input: Tensor): Tensor {
  return scope(() => {
    const x = widen(input, 'sign');
    const one = Tensor.allocate(x.shape, 'float32', x.device).fill_(1);
    return unaryBackward('abs', x, one, 0); // the derivative of |x|
  });
}
