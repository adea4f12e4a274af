/**
 * The functions of one variable, one class each: `value(x, p)` and `slope(x, p)`, its derivative in x. They are never
 * made: a loop that is generic in the class calls its methods on a null reference, and the compiler inlines them.
 */
import { all4, copySign4, erf4, exp4, gaussian4, log4, madd4, normalCdf4, sigmoid4, tanh4 } from './math';
import { cos4, sin4 } from './trigonometry';

/** The slope of x beside a kink: `mask ? slope : 0`, and NaN where x is NaN. */
// @ts-ignore: decorator
@inline
function kinked4(slope: v128, mask: v128, x: v128): v128 {
  return v128.or(v128.and(slope, mask), f32x4.ne(x, x)); // all ones are a NaN
}

export class Neg {
  @inline value(x: v128, p: v128): v128 { return f32x4.neg(x); }
  @inline slope(x: v128, p: v128): v128 { return all4(-1.0); }
}

export class Abs {
  @inline value(x: v128, p: v128): v128 { return f32x4.abs(x); }
  @inline slope(x: v128, p: v128): v128 { return kinked4(copySign4(all4(1.0), x), f32x4.ne(x, all4(0.0)), x); }
}

export class Exp {
  @inline value(x: v128, p: v128): v128 { return exp4(x); }
  @inline slope(x: v128, p: v128): v128 { return exp4(x); }
}

export class Log {
  @inline value(x: v128, p: v128): v128 { return log4(x); }
  @inline slope(x: v128, p: v128): v128 { return f32x4.div(all4(1.0), x); }
}

export class Sqrt {
  @inline value(x: v128, p: v128): v128 { return f32x4.sqrt(x); }
  @inline slope(x: v128, p: v128): v128 { return f32x4.div(all4(0.5), f32x4.sqrt(x)); }
}

export class Rsqrt {
  @inline value(x: v128, p: v128): v128 { return f32x4.div(all4(1.0), f32x4.sqrt(x)); }
  @inline slope(x: v128, p: v128): v128 { return f32x4.div(all4(-0.5), f32x4.mul(x, f32x4.sqrt(x))); }
}

export class Reciprocal {
  @inline value(x: v128, p: v128): v128 { return f32x4.div(all4(1.0), x); }
  @inline slope(x: v128, p: v128): v128 {
    const y = f32x4.div(all4(1.0), x);
    return f32x4.neg(f32x4.mul(y, y));
  }
}

export class Square {
  @inline value(x: v128, p: v128): v128 { return f32x4.mul(x, x); }
  @inline slope(x: v128, p: v128): v128 { return f32x4.add(x, x); }
}

export class Sin {
  @inline value(x: v128, p: v128): v128 { return sin4(x); }
  @inline slope(x: v128, p: v128): v128 { return cos4(x); }
}

export class Cos {
  @inline value(x: v128, p: v128): v128 { return cos4(x); }
  @inline slope(x: v128, p: v128): v128 { return f32x4.neg(sin4(x)); }
}

export class Tanh {
  @inline value(x: v128, p: v128): v128 { return tanh4(x); }
  /** sech²(x) = 4e / (1 + e)² with e = exp(-2|x|): no cancellation as in 1 − tanh². */
  @inline slope(x: v128, p: v128): v128 {
    return f32x4.mul(all4(4.0), bell4(f32x4.add(x, x)));
  }
}

export class Sigmoid {
  @inline value(x: v128, p: v128): v128 { return sigmoid4(x); }
  @inline slope(x: v128, p: v128): v128 { return bell4(x); }
}

/** sigmoid(x) · sigmoid(-x) = e / (1 + e)², e = exp(-|x|). */
// @ts-ignore: decorator
@inline
function bell4(x: v128): v128 {
  const e = exp4(v128.or(x, all4(-0.0)));
  const sum = f32x4.add(e, all4(1.0));
  return f32x4.div(e, f32x4.mul(sum, sum));
}

export class Erf {
  @inline value(x: v128, p: v128): v128 { return erf4(x); }
  /** 2/√π · exp(-x²) */
  @inline slope(x: v128, p: v128): v128 {
    return f32x4.mul(all4(1.1283791670955126), exp4(f32x4.neg(f32x4.mul(x, x))));
  }
}

export class Relu {
  @inline value(x: v128, p: v128): v128 { return f32x4.pmax(x, all4(0.0)); }
  @inline slope(x: v128, p: v128): v128 { return kinked4(all4(1.0), f32x4.gt(x, all4(0.0)), x); }
}

export class GeluErf {
  @inline value(x: v128, p: v128): v128 { return f32x4.mul(x, normalCdf4(x, gaussian4(x))); }
  /** Φ(x) + x φ(x), φ(x) = exp(-x²/2) / √(2π) */
  @inline slope(x: v128, p: v128): v128 {
    const gaussian = gaussian4(x);
    return madd4(f32x4.mul(x, gaussian), all4(0.3989422804014327), normalCdf4(x, gaussian));
  }
}

/** ½ (1 + tanh u) = sigmoid(2u); twice √(2/π) and twice √(2/π) · 0.044715. */
const GELU_LINEAR: f32 = 1.5957691216057308;
const GELU_CUBIC: f32 = 0.07135481627159624;

export class GeluTanh {
  @inline value(x: v128, p: v128): v128 {
    const rate = madd4(f32x4.mul(x, x), all4(GELU_CUBIC), all4(GELU_LINEAR));
    return f32x4.mul(x, sigmoid4(f32x4.mul(x, rate)));
  }
  /** s + x s (1 − s) u', s = sigmoid(u). Beyond ±30 it is 0 or 1, and u' must not overflow. */
  @inline slope(x: v128, p: v128): v128 {
    const near = f32x4.pmax(f32x4.pmin(x, all4(30.0)), all4(-30.0));
    const square = f32x4.mul(near, near);
    const s = sigmoid4(f32x4.mul(near, madd4(square, all4(GELU_CUBIC), all4(GELU_LINEAR))));
    const rate = madd4(square, all4(3.0 * GELU_CUBIC), all4(GELU_LINEAR));
    return swishSlope4(s, f32x4.mul(near, rate));
  }
}

/** s + s (1 − s) z: the derivative of x · sigmoid(u), where z = x · u'. */
// @ts-ignore: decorator
@inline
function swishSlope4(s: v128, z: v128): v128 {
  return madd4(f32x4.mul(s, f32x4.sub(all4(1.0), s)), z, s);
}

export class QuickGelu {
  @inline value(x: v128, p: v128): v128 { return f32x4.mul(x, sigmoid4(f32x4.mul(x, all4(1.702)))); }
  @inline slope(x: v128, p: v128): v128 {
    const z = f32x4.mul(x, all4(1.702));
    return swishSlope4(sigmoid4(z), z);
  }
}

/** x · sigmoid(beta x), p = beta. */
export class Silu {
  @inline value(x: v128, p: v128): v128 { return f32x4.mul(x, sigmoid4(f32x4.mul(x, p))); }
  @inline slope(x: v128, p: v128): v128 {
    const z = f32x4.mul(x, p);
    return swishSlope4(sigmoid4(z), z);
  }
}

export class AddScalar {
  @inline value(x: v128, p: v128): v128 { return f32x4.add(x, p); }
  @inline slope(x: v128, p: v128): v128 { return all4(1.0); }
}

export class MulScalar {
  @inline value(x: v128, p: v128): v128 { return f32x4.mul(x, p); }
  @inline slope(x: v128, p: v128): v128 { return p; }
}

export class PowScalar {
  @inline value(x: v128, p: v128): v128 { return powScalar4(x, f32x4.extract_lane(p, 0)); }
  /** p x^(p − 1); 0 for p = 0, also at x = 0 */
  @inline slope(x: v128, p: v128): v128 {
    const exponent = f32x4.extract_lane(p, 0);
    return exponent == 0.0 ? all4(0.0) : f32x4.mul(p, powScalar4(x, exponent - 1.0));
  }
}

export class ClampMin {
  @inline value(x: v128, p: v128): v128 { return f32x4.pmax(x, p); }
  @inline slope(x: v128, p: v128): v128 { return kinked4(all4(1.0), f32x4.ge(x, p), x); }
}

export class ClampMax {
  @inline value(x: v128, p: v128): v128 { return f32x4.pmin(x, p); }
  @inline slope(x: v128, p: v128): v128 { return kinked4(all4(1.0), f32x4.le(x, p), x); }
}

/** `x ^ exponent`, with the exponents that models use done without the scalar library. */
function powScalar4(x: v128, exponent: f32): v128 {
  if (exponent == 2.0) return f32x4.mul(x, x);
  if (exponent == 3.0) return f32x4.mul(f32x4.mul(x, x), x);
  if (exponent == 1.0) return x;
  if (exponent == -1.0) return f32x4.div(all4(1.0), x);
  return pow4(x, all4(exponent));
}

/** `x ^ y` lane by lane, through the scalar library (float64 inside, within 1 ULP). */
export function pow4(x: v128, y: v128): v128 {
  let z = f32x4.splat(NativeMathf.pow(f32x4.extract_lane(x, 0), f32x4.extract_lane(y, 0)));
  z = f32x4.replace_lane(z, 1, NativeMathf.pow(f32x4.extract_lane(x, 1), f32x4.extract_lane(y, 1)));
  z = f32x4.replace_lane(z, 2, NativeMathf.pow(f32x4.extract_lane(x, 2), f32x4.extract_lane(y, 2)));
  return f32x4.replace_lane(z, 3, NativeMathf.pow(f32x4.extract_lane(x, 3), f32x4.extract_lane(y, 3)));
}
