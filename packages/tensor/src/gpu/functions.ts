import { type GpuFunction, gpuFunction } from './kernel.js';

// Elementary functions in gpu.js's subset, for a driver's own may be off by far more than float32 rounds: Vulkan allows
// sin 2^-11 of absolute error, and gpu.js's tanh overflows. The polynomials are those of assembly/math.ts, where each is
// explained; errors are the same few ULP. Subnormal arguments and results may be flushed to 0, as GPUs do.

/** A function of float32 numbers that gives one. */
function float(source: string, calls: readonly GpuFunction[] = [], wgsl?: string): GpuFunction {
  const names = /\(([^)]*)\)/.exec(source)?.[1]?.split(', ') ?? [];
  const types = Object.fromEntries(names.map((name) => [name, 'Float'] as const));
  return gpuFunction(source, types, 'Float', wgsl === undefined ? { calls } : { calls, wgsl });
}

/** +∞, by overflow of `x`'s magnitude plus the largest numbers: gpu.js's `Infinity` is the largest float. */
export const infinite = float('function infinite(x) { return (Math.abs(x) + 3e38) * 1e10; }');

/** NaN, as a root: drivers take it that x − x is 0, whatever x. */
export const notANumber = float('function notANumber(x) { return Math.sqrt(-1 - Math.abs(x)); }');

/** 1 for NaN, else 0. In WGSL by the bits: drivers may take it that no number is NaN, and drop the comparison. */
export const isNan = float(
  'function isNan(x) { if (x < 0) { return 0; } if (x >= 0) { return 0; } return 1; }',
  [],
  'fn fn_isNan(user_x : f32) -> f32 { return select(0.0, 1.0, (bitcast<u32>(user_x) & 0x7fffffffu) > 0x7f800000u); }',
);

/** `2^e` for whole e in -126 .. 127, exactly; a driver's exp2 may not be. */
export const power2 = float(
  `function power2(e) {
    let r = 1;
    let a = Math.abs(e);
    const up = e > 0;
    if (a >= 64) { a = a - 64; if (up) { r = r * 18446744073709551616; } else { r = r * ${2 ** -64}; } }
    if (a >= 32) { a = a - 32; if (up) { r = r * 4294967296; } else { r = r * ${2 ** -32}; } }
    if (a >= 16) { a = a - 16; if (up) { r = r * 65536; } else { r = r * ${2 ** -16}; } }
    if (a >= 8) { a = a - 8; if (up) { r = r * 256; } else { r = r * 0.00390625; } }
    if (a >= 4) { a = a - 4; if (up) { r = r * 16; } else { r = r * 0.0625; } }
    if (a >= 2) { a = a - 2; if (up) { r = r * 4; } else { r = r * 0.25; } }
    if (a >= 1) { if (up) { r = r * 2; } else { r = r * 0.5; } }
    return r;
  }`,
  [],
  'fn fn_power2(user_e : f32) -> f32 { return bitcast<f32>(u32(i32(user_e) + 127) << 23u); }',
);

/** The whole e with `2^e <= x < 2^(e+1)`, for a normal x > 0. A driver's log2 gives it up to one. */
export const exponentOf = float(
  `function exponentOf(x) {
    let e = Math.floor(Math.log2(x));
    e = Math.max(-126, Math.min(127, e));
    if (power2(e) > x) { e = e - 1; }
    if (e < 127) { if (x >= power2(e + 1)) { e = e + 1; } }
    return e;
  }`,
  [power2],
  'fn fn_exponentOf(user_x : f32) -> f32 { return f32(i32((bitcast<u32>(user_x) >> 23u) & 255u) - 127); }',
);

/** `exp(x)`. */
export const expOf = float(
  `function expOf(x) {
    if (isNan(x) > 0) { return x; }
    const bounded = Math.max(Math.min(x, 89), -104);
    const n = Math.floor(bounded * 1.44269504088896341 + 0.5);
    const r = bounded - n * 0.693359375 + n * 0.000212194440;
    let p = 0.00019875691500 * r + 0.0013981999507;
    p = p * r + 0.0083334519073;
    p = p * r + 0.041665795894;
    p = p * r + 0.16666665459;
    p = p * r + 0.50000001201;
    p = p * (r * r) + r + 1;
    const half = Math.floor(n * 0.5);
    return p * power2(half) * power2(n - half);
  }`,
  [isNan, power2],
);

/** `ln(x)`. */
export const logOf = float(
  `function logOf(x) {
    if (isNan(x) > 0) { return x; }
    if (x < 0) { return notANumber(x); }
    if (x === 0) { return -infinite(x); }
    if (x > 3.4e38) { if (x * 0.5 === x) { return x; } }
    let k = 0;
    let m = x;
    if (x < 1.2e-38) { m = x * 33554432; k = -25; }
    if (m < 1.2e-38) { return -infinite(x); }
    const e = exponentOf(m);
    const first = Math.floor(e * 0.5);
    m = m * power2(-first) * power2(first - e);
    k = k + e;
    if (m > 1.41421356) { m = m * 0.5; k = k + 1; }
    const f = m - 1;
    const s = f / (f + 2);
    const z = s * s;
    const w = z * z;
    const odd = w * (w * 0.24279078841 + 0.40000972152);
    const even = z * (w * 0.28498786688 + 0.66666662693);
    const half = f * f * 0.5;
    let y = s * (half + (odd + even));
    y = (k * 0.0000090580006145 + y) - half + f;
    return k * 0.69313812256 + y;
  }`,
  [isNan, infinite, notANumber, power2, exponentOf],
);

/** `ln(1 + x)` for x >= -0.5: near 0 by logOf's polynomial. A driver may take it that (1 + x) − 1 is x, so no correction. */
export const log1pOf = float(
  `function log1pOf(x) {
    if (x > -0.29) {
      if (x < 0.41) {
        if (x === 0) { return x; }
        const s = x / (x + 2);
        const z = s * s;
        const w = z * z;
        const odd = w * (w * 0.24279078841 + 0.40000972152);
        const even = z * (w * 0.28498786688 + 0.66666662693);
        const half = x * x * 0.5;
        return s * (half + (odd + even)) - half + x;
      }
    }
    return logOf(x + 1);
  }`,
  [logOf],
);

/** `1 / (1 + exp(-x))`; exp(-|x|) keeps the left tail. */
export const sigmoidOf = float(
  `function sigmoidOf(x) {
    if (isNan(x) > 0) { return x; }
    const e = expOf(-Math.abs(x));
    if (x < 0) { return e / (e + 1); }
    return 1 / (e + 1);
  }`,
  [isNan, expOf],
);

/** sigmoid(x) · sigmoid(-x) = e / (1 + e)², e = exp(-|x|). */
export const bellOf = float(
  `function bellOf(x) {
    const e = expOf(-Math.abs(x));
    return e / ((e + 1) * (e + 1));
  }`,
  [expOf],
);

/** `tanh(x)`. */
export const tanhOf = float(
  `function tanhOf(x) {
    if (x === 0) { return x; }
    const size = Math.abs(x);
    if (size < 0.625) {
      const z = x * x;
      let p = -0.00570498872745 * z + 0.0206390887954;
      p = p * z - 0.0537397155531;
      p = p * z + 0.133314422036;
      p = p * z - 0.333332819422;
      return p * z * x + x;
    }
    const far = 1 - 2 / (expOf(size + size) + 1);
    if (x < 0) { return -far; }
    return far;
  }`,
  [expOf],
);

/** `erf(x)`. */
export const erfOf = float(
  `function erfOf(x) {
    if (x === 0) { return x; }
    const t = Math.abs(x);
    const s = x * x;
    if (t > 0.927734375) {
      let far = -0.0000172853470 * t + 0.000383197126;
      far = far * s + (-0.00388396438 * t + 0.0242546219);
      far = far * t - 0.106777877;
      far = far * t - 0.634846687;
      far = far * t - 0.128717512;
      far = far * t - t;
      if (t > 10) { far = -100; }
      const y = 1 - expOf(far);
      if (x < 0) { return -y; }
      return y;
    }
    let near = -0.000596761703 * s + 0.00499119423;
    near = near * s - 0.0267681349;
    near = near * s + 0.112819925;
    near = near * s - 0.376125336;
    near = near * s + 0.128379166;
    return near * x + x;
  }`,
  [expOf],
);

/** `Φ(x)`, the normal distribution function; the left tail keeps its relative precision. */
export const normalCdf = float(
  `function normalCdf(x) {
    if (isNan(x) > 0) { return x; }
    const bounded = Math.max(-30, Math.min(30, x));
    const t = Math.abs(bounded) * 0.70710678118654752;
    const w = 2 / (t + 2);
    let p = -0.05906921625137329 * w + 0.2845761775970459;
    p = p * w - 0.4872022867202759;
    p = p * w + 0.27806979417800903;
    p = p * w - 0.02662738412618637;
    p = p * w + 0.2026875615119934;
    p = p * w + 0.24310360848903656;
    p = p * w + 0.2823753356933594;
    p = p * w + 0.28208640217781067;
    const tail = p * w * (expOf(bounded * bounded * -0.5) * 0.5);
    if (x < 0) { return tail; }
    return 1 - tail;
  }`,
  [isNan, expOf],
);

/** The derivative of `x Φ(x)`: Φ(x) + x φ(x). */
export const geluErfSlope = float(
  `function geluErfSlope(x) {
    const bounded = Math.max(-30, Math.min(30, x));
    return normalCdf(x) + bounded * expOf(bounded * bounded * -0.5) * 0.3989422804014327;
  }`,
  [expOf, normalCdf],
);

/** `x · ½ (1 + tanh u)` = x · sigmoid(2u). */
export const geluTanhOf = float(
  `function geluTanhOf(x) {
    return x * sigmoidOf(x * (x * x * 0.07135481627159624 + 1.5957691216057308));
  }`,
  [sigmoidOf],
);

/** s + s (1 − s) z: the derivative of x · sigmoid(u), where s = sigmoid(u) and z = x · u'. */
export const swishSlope = float('function swishSlope(s, z) { return s * (1 - s) * z + s; }');

/** Beyond ±30 the slope is 0 or 1, and u' must not overflow. */
export const geluTanhSlope = float(
  `function geluTanhSlope(x) {
    if (isNan(x) > 0) { return x; }
    const near = Math.max(-30, Math.min(30, x));
    const square = near * near;
    const s = sigmoidOf(near * (square * 0.07135481627159624 + 1.5957691216057308));
    return swishSlope(s, near * (square * 0.21406444881478872 + 1.5957691216057308));
  }`,
  [isNan, sigmoidOf, swishSlope],
);

/**
 * `sin(x + quadrant · π/2)` (Cephes). π/2 is taken away in three parts, the first two so short that their products with
 * n are exact: full precision to |x| = 8,000, fewer digits beyond, and none past a million.
 */
const sinQuadrant = float(
  `function sinQuadrant(x, quadrant) {
    if (isNan(x) > 0) { return x; }
    if (Math.abs(x) > 3.4e38) { if (x * 0.5 === x) { return notANumber(x); } }
    const n = Math.floor(x * 0.63661977236758134308 + 0.5);
    let r = x - n * 1.5703125 - n * 0.000483751296997070312 - n * 0.0000000754978995489188216;
    r = Math.max(-0.7853982, Math.min(0.7853982, r));
    const turn = n + quadrant - 4 * Math.floor((n + quadrant) * 0.25);
    const z = r * r;
    let y = 0;
    if (turn === 1 || turn === 3) {
      let p = 0.00002443315711809948 * z - 0.001388731625493765;
      p = p * z + 0.04166664568298827;
      y = p * z * z + z * -0.5 + 1;
    } else {
      let p = -0.00019515295891 * z + 0.0083321608736;
      p = p * z - 0.16666654611;
      y = p * z * r + r;
    }
    if (turn >= 2) { return -y; }
    return y;
  }`,
  [isNan, notANumber],
);

export const sinOf = float(
  `function sinOf(x) {
    if (x === 0) { return x; }
    return sinQuadrant(x, 0);
  }`,
  [sinQuadrant],
);

export const cosOf = float('function cosOf(x) { return sinQuadrant(x, 1); }', [sinQuadrant]);

/**
 * `x ^ y` as exp(y ln|x|): a relative error of |y ln x| roundings. Whole powers up to 4 by multiplying, halves by roots.
 */
export const powOf = float(
  `function powOf(x, y) {
    if (y === 0) { return 1; }
    if (y === 1) { return x; }
    if (y === 2) { return x * x; }
    if (y === 3) { return x * x * x; }
    if (y === 4) { return x * x * (x * x); }
    if (y === -1) { return 1 / x; }
    if (y === -2) { return 1 / (x * x); }
    if (y === 0.5) { if (x >= 0) { return Math.sqrt(x); } }
    if (isNan(x) > 0) { return x; }
    if (x === 0) {
      if (y > 0) { return 0; }
      return infinite(x);
    }
    if (x > 0) { return expOf(y * logOf(x)); }
    if (Math.floor(y) !== y) { return notANumber(x); }
    const size = expOf(y * logOf(-x));
    if (y - 2 * Math.floor(y * 0.5) === 1) { return -size; }
    return size;
  }`,
  [isNan, expOf, logOf, infinite, notANumber],
);

/** p x^(p − 1); 0 for p = 0, also at x = 0. */
export const powSlope = float(
  `function powSlope(x, p) {
    if (p === 0) { return 0; }
    return p * powOf(x, p - 1);
  }`,
  [powOf],
);

/** `√x`, NaN below 0. */
export const rootOf = float(
  `function rootOf(x) {
    if (isNan(x) > 0) { return x; }
    if (x < 0) { return notANumber(x); }
    return Math.sqrt(x);
  }`,
  [isNan, notANumber],
);

/** -1, 0 or 1; NaN for NaN. */
export const signOf = float(
  `function signOf(x) {
    if (isNan(x) > 0) { return x; }
    if (x > 0) { return 1; }
    if (x < 0) { return -1; }
    return x;
  }`,
  [isNan],
);

/** The larger of two; NaN if the first is NaN. A driver's own max may drop it. */
export const largerOf = float(
  `function largerOf(x, bound) {
    if (isNan(x) > 0) { return x; }
    if (x < bound) { return bound; }
    return x;
  }`,
  [isNan],
);

export const smallerOf = float(
  `function smallerOf(x, bound) {
    if (isNan(x) > 0) { return x; }
    if (x > bound) { return bound; }
    return x;
  }`,
  [isNan],
);

/** 1 above 0, else 0: the slope of relu. NaN stays NaN. */
export const openStep = float(
  `function openStep(x) {
    if (isNan(x) > 0) { return x; }
    if (x > 0) { return 1; }
    return 0;
  }`,
  [isNan],
);

/** 1 from `bound` on in the direction of `sign`, else 0: the slope of a clamp. NaN stays NaN. */
export const boundStep = float(
  `function boundStep(x, bound, sign) {
    if (isNan(x) > 0) { return x; }
    if (x * sign >= bound * sign) { return 1; }
    return 0;
  }`,
  [isNan],
);
