import type { UnaryOp } from '../kernels/elementwise.js';
import * as f from './functions.js';
import type { GpuFunction } from './kernel.js';

/** A function of one number `x` and of `p`, its parameter, beside its derivative: expressions in gpu.js's subset. */
export interface UnaryExpressions {
  readonly value: string;
  readonly slope: string;
  readonly functions: readonly GpuFunction[];
}

function expressions(value: string, slope: string, ...functions: GpuFunction[]): UnaryExpressions {
  return { value, slope, functions };
}

export const UNARY: Readonly<Record<UnaryOp, UnaryExpressions>> = {
  neg: expressions('-x', '-1.0'),
  abs: expressions('Math.abs(x)', 'signOf(x)', f.signOf),
  exp: expressions('expOf(x)', 'expOf(x)', f.expOf),
  log: expressions('logOf(x)', '1.0 / x', f.logOf),
  sqrt: expressions('rootOf(x)', '0.5 / rootOf(x)', f.rootOf),
  rsqrt: expressions('1.0 / rootOf(x)', '-0.5 / (x * rootOf(x))', f.rootOf),
  reciprocal: expressions('1.0 / x', '-1.0 / x / x'),
  square: expressions('x * x', 'x + x'),
  sin: expressions('sinOf(x)', 'cosOf(x)', f.sinOf, f.cosOf),
  cos: expressions('cosOf(x)', '-sinOf(x)', f.sinOf, f.cosOf),
  tanh: expressions('tanhOf(x)', '4 * bellOf(x + x)', f.tanhOf, f.bellOf),
  sigmoid: expressions('sigmoidOf(x)', 'bellOf(x)', f.sigmoidOf, f.bellOf),
  erf: expressions('erfOf(x)', '1.1283791670955126 * expOf(-(x * x))', f.erfOf, f.expOf),
  relu: expressions('largerOf(x, 0.0)', 'openStep(x)', f.largerOf, f.openStep),
  geluErf: expressions('x * normalCdf(x)', 'geluErfSlope(x)', f.normalCdf, f.geluErfSlope),
  geluTanh: expressions('geluTanhOf(x)', 'geluTanhSlope(x)', f.geluTanhOf, f.geluTanhSlope),
  quickGelu: expressions(
    'x * sigmoidOf(x * 1.702)',
    'swishSlope(sigmoidOf(x * 1.702), x * 1.702)',
    f.sigmoidOf,
    f.swishSlope,
  ),
  silu: expressions('x * sigmoidOf(x * p)', 'swishSlope(sigmoidOf(x * p), x * p)', f.sigmoidOf, f.swishSlope),
  addScalar: expressions('x + p', '1.0'),
  mulScalar: expressions('x * p', 'p'),
  powScalar: expressions('powOf(x, p)', 'powSlope(x, p)', f.powOf, f.powSlope),
  clampMin: expressions('largerOf(x, p)', 'boundStep(x, p, 1.0)', f.largerOf, f.boundStep),
  clampMax: expressions('smallerOf(x, p)', 'boundStep(x, p, -1.0)', f.smallerOf, f.boundStep),
};
