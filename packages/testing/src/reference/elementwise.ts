import { erf, normalCdf, normalPdf, sigmoid } from './special-functions.js';
import { indices, offsetOf } from './strides.js';
import type { Floats } from './types.js';

/** A function of one number (and of `parameter`, where it has one) beside its derivative. */
interface Differentiable {
  readonly value: (x: number, parameter: number) => number;
  readonly derivative: (x: number, parameter: number) => number;
}

const SQRT_2_OVER_PI = Math.sqrt(2 / Math.PI);
const geluInner = (x: number) => SQRT_2_OVER_PI * (x + 0.044715 * x ** 3);
const geluInnerDerivative = (x: number) => SQRT_2_OVER_PI * (1 + 3 * 0.044715 * x ** 2);

/** Slope at a kink is 0, except a clamp's, which is 1 where x equals the bound. NaN stays NaN. */
const slope = (x: number, open: boolean) => (Number.isNaN(x) ? NaN : open ? 1 : 0);

const UNARY = {
  neg: { value: (x) => -x, derivative: () => -1 },
  abs: { value: Math.abs, derivative: Math.sign },
  exp: { value: Math.exp, derivative: Math.exp },
  log: { value: Math.log, derivative: (x) => 1 / x },
  sqrt: { value: Math.sqrt, derivative: (x) => 0.5 / Math.sqrt(x) },
  rsqrt: { value: (x) => 1 / Math.sqrt(x), derivative: (x) => -0.5 / (x * Math.sqrt(x)) },
  reciprocal: { value: (x) => 1 / x, derivative: (x) => -1 / (x * x) },
  square: { value: (x) => x * x, derivative: (x) => 2 * x },
  sin: { value: Math.sin, derivative: Math.cos },
  cos: { value: Math.cos, derivative: (x) => -Math.sin(x) },
  tanh: { value: Math.tanh, derivative: (x) => 1 / Math.cosh(x) ** 2 },
  sigmoid: { value: sigmoid, derivative: (x) => sigmoid(x) * sigmoid(-x) },
  erf: { value: erf, derivative: (x) => (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) },
  relu: { value: (x) => Math.max(x, 0), derivative: (x) => slope(x, x > 0) },
  geluErf: { value: (x) => x * normalCdf(x), derivative: (x) => normalCdf(x) + x * normalPdf(x) },
  geluTanh: {
    // 0.5 (1 + tanh u) = sigmoid(2u), which keeps its digits where tanh is near −1
    value: (x) => x * sigmoid(2 * geluInner(x)),
    derivative: (x) => {
      const s = sigmoid(2 * geluInner(x));
      return s + x * 2 * s * sigmoid(-2 * geluInner(x)) * geluInnerDerivative(x);
    },
  },
  quickGelu: {
    value: (x) => x * sigmoid(1.702 * x),
    derivative: (x) => siluDerivative(x, 1.702),
  },
  silu: { value: (x, beta) => x * sigmoid(beta * x), derivative: (x, beta) => siluDerivative(x, beta) },
  addScalar: { value: (x, scalar) => x + scalar, derivative: () => 1 },
  mulScalar: { value: (x, scalar) => x * scalar, derivative: (_, scalar) => scalar },
  powScalar: {
    value: (x, exponent) => x ** exponent,
    derivative: (x, exponent) => (exponent === 0 ? 0 : exponent * x ** (exponent - 1)),
  },
  clampMin: { value: (x, bound) => Math.max(x, bound), derivative: (x, bound) => slope(x, x >= bound) },
  clampMax: { value: (x, bound) => Math.min(x, bound), derivative: (x, bound) => slope(x, x <= bound) },
} satisfies Record<string, Differentiable>;

function siluDerivative(x: number, beta: number): number {
  const s = sigmoid(beta * x);
  return s + beta * x * s * sigmoid(-beta * x);
}

const BINARY = {
  add: (a: number, b: number) => a + b,
  sub: (a: number, b: number) => a - b,
  mul: (a: number, b: number) => a * b,
  div: (a: number, b: number) => a / b,
  pow: (a: number, b: number) => a ** b,
  maximum: (a: number, b: number) => Math.max(a, b),
  minimum: (a: number, b: number) => Math.min(a, b),
};

export type UnaryOp = keyof typeof UNARY;
export type BinaryOp = keyof typeof BINARY;
export type GateOp = 'silu' | 'geluErf' | 'geluTanh' | 'relu' | 'sigmoid';

/** silu's beta inside a gate is 1; the others have no parameter. */
const GATE_PARAMETER = 1;

/** `y = f(x)`. */
export function unary(op: UnaryOp, x: Floats, y: Floats, size: number, parameter: number): void {
  const { value }: Differentiable = UNARY[op];
  for (let i = 0; i < size; i++) y[i] = value(x[i]!, parameter);
}

/** `dx = g · f'(x)`. */
export function unaryBackward(op: UnaryOp, x: Floats, g: Floats, dx: Floats, size: number, parameter: number): void {
  const { derivative }: Differentiable = UNARY[op];
  for (let i = 0; i < size; i++) dx[i] = g[i]! * derivative(x[i]!, parameter);
}

/** `y = a op b` over `shape`, broadcast by strides. */
export function binary(
  op: BinaryOp,
  a: Floats,
  b: Floats,
  y: Floats,
  shape: readonly number[],
  aStrides: readonly number[],
  bStrides: readonly number[],
): void {
  const compute = BINARY[op];
  let i = 0;
  for (const index of indices(shape)) y[i++] = compute(a[offsetOf(index, aStrides)]!, b[offsetOf(index, bStrides)]!);
}

/** `y = condition ? a : b`, broadcast by strides. */
export function where(
  condition: Uint8Array,
  a: Floats,
  b: Floats,
  y: Floats,
  shape: readonly number[],
  conditionStrides: readonly number[],
  aStrides: readonly number[],
  bStrides: readonly number[],
): void {
  let i = 0;
  for (const index of indices(shape)) {
    const holds = condition[offsetOf(index, conditionStrides)] !== 0;
    y[i++] = holds ? a[offsetOf(index, aStrides)]! : b[offsetOf(index, bStrides)]!;
  }
}

/** `y += alpha · x`. */
export function addScaled(x: Floats, y: Floats, alpha: number, size: number): void {
  for (let i = 0; i < size; i++) y[i]! += alpha * x[i]!;
}

/** `y = activation(gate) · up`. */
export function gated(op: GateOp, gate: Floats, up: Floats, y: Floats, size: number): void {
  const { value }: Differentiable = UNARY[op];
  for (let i = 0; i < size; i++) y[i] = value(gate[i]!, GATE_PARAMETER) * up[i]!;
}

/** `dgate = g · up · activation'(gate)`, `dup = g · activation(gate)`. */
export function gatedBackward(
  op: GateOp,
  gate: Floats,
  up: Floats,
  g: Floats,
  dgate: Floats,
  dup: Floats,
  size: number,
): void {
  const { value, derivative }: Differentiable = UNARY[op];
  for (let i = 0; i < size; i++) {
    const [gateValue, upValue, gradient] = [gate[i]!, up[i]!, g[i]!]; // read first: outputs may be inputs
    dgate[i] = gradient * upValue * derivative(gateValue, GATE_PARAMETER);
    dup[i] = gradient * value(gateValue, GATE_PARAMETER);
  }
}
