/**
 * Elementary functions on four float32 lanes. The error of each is the largest that test/math.test.ts found against
 * float64, in ULP (units in the last place of the float32 result). Unless a comment says otherwise ±0, ±∞ and NaN give
 * what IEEE 754 asks for, and subnormal arguments and results are exact to the stated error, not flushed.
 */

/** `a · b + c`. Here, and in nmadd4, the build with relaxed SIMD fuses: one rounding instead of two. */
// @ts-ignore: decorator
@inline
export function madd4(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_madd(a, b, c);
  return f32x4.add(f32x4.mul(a, b), c);
}

/** `c − a · b`, as madd4. */
// @ts-ignore: decorator
@inline
export function nmadd4(a: v128, b: v128, c: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return f32x4.relaxed_nmadd(a, b, c);
  return f32x4.sub(c, f32x4.mul(a, b));
}

/** A constant in each lane. */
// @ts-ignore: decorator
@inline
export function all4(value: f32): v128 {
  return f32x4.splat(value);
}

/** The sum of the four lanes, in pairs. */
// @ts-ignore: decorator
@inline
export function sumLanes4(x: v128): f32 {
  const pairs = f32x4.add(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return f32x4.extract_lane(pairs, 0) + f32x4.extract_lane(pairs, 1);
}

/** The largest of the four lanes; NaN if one is NaN. */
// @ts-ignore: decorator
@inline
export function maxLanes4(x: v128): f32 {
  const pairs = f32x4.max(x, v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  return max<f32>(f32x4.extract_lane(pairs, 0), f32x4.extract_lane(pairs, 1));
}

/** The magnitude of `x` with the sign of `s`. */
// @ts-ignore: decorator
@inline
export function copySign4(x: v128, s: v128): v128 {
  return v128.bitselect(s, x, i32x4.splat(0x80000000));
}

/** `x · 2ⁿ` for whole n in -252 .. 254, in two steps so that subnormal and infinite results come out right. */
// @ts-ignore: decorator
@inline
function scaleByPower4(x: v128, n: v128): v128 {
  const half = i32x4.shr_s(n, 1);
  const rest = i32x4.sub(n, half);
  const bias = i32x4.splat(127);
  const first = i32x4.shl(i32x4.add(half, bias), 23);
  const second = i32x4.shl(i32x4.add(rest, bias), 23);
  return f32x4.mul(f32x4.mul(x, first), second);
}

/** 1.5 · 2²³: adding it rounds a float32 to a whole number, which then stands in the low bits. */
const ROUND: f32 = 12582912.0;

/**
 * `exp(x)`, at most 1.1 ULP. Cephes' polynomial after x = n ln 2 + r; ln 2 in two parts so that n · high is exact.
 */
// @ts-ignore: decorator
@inline
export function exp4(x: v128): v128 {
  // pmin and pmax with x first keep a NaN; beyond these bounds the result is 0 or infinity anyway
  x = f32x4.pmax(f32x4.pmin(x, all4(89.0)), all4(-104.0));
  const shifted = madd4(x, all4(1.44269504088896341), all4(ROUND));
  const n = f32x4.sub(shifted, all4(ROUND));
  let r = nmadd4(n, all4(0.693359375), x);
  r = nmadd4(n, all4(-2.12194440e-4), r);
  let p = madd4(all4(1.9875691500e-4), r, all4(1.3981999507e-3));
  p = madd4(p, r, all4(8.3334519073e-3));
  p = madd4(p, r, all4(4.1665795894e-2));
  p = madd4(p, r, all4(1.6666665459e-1));
  p = madd4(p, r, all4(5.0000001201e-1));
  p = f32x4.add(madd4(p, f32x4.mul(r, r), r), all4(1.0));
  return scaleByPower4(p, i32x4.sub(shifted, all4(ROUND)));
}

/**
 * `exp(x)` for x ≤ 0 as softmax uses it, at most 1.1 ULP: results below 2⁻¹²⁶ are flushed to 0. Eight
 * operations fewer than exp4. -∞ gives 0, NaN gives NaN; x > 88 is not allowed.
 */
// @ts-ignore: decorator
@inline
export function expNonPositive4(x: v128): v128 {
  const small = f32x4.lt(x, all4(-87.3365447));
  const shifted = madd4(x, all4(1.44269504088896341), all4(ROUND));
  const n = f32x4.sub(shifted, all4(ROUND));
  let r = nmadd4(n, all4(0.693359375), x);
  r = nmadd4(n, all4(-2.12194440e-4), r);
  let p = madd4(all4(1.9875691500e-4), r, all4(1.3981999507e-3));
  p = madd4(p, r, all4(8.3334519073e-3));
  p = madd4(p, r, all4(4.1665795894e-2));
  p = madd4(p, r, all4(1.6666665459e-1));
  p = madd4(p, r, all4(5.0000001201e-1));
  p = f32x4.add(madd4(p, f32x4.mul(r, r), r), all4(1.0));
  // 2ⁿ: the low bits of `shifted` are n, those of ROUND fall out at the top
  const power = i32x4.add(i32x4.shl(shifted, 23), i32x4.splat(127 << 23));
  return v128.andnot(f32x4.mul(p, power), small);
}

/** `ln(x)`, at most 0.9 ULP. As musl's logf: x = 2ᵏ m with m in [√½, √2), s = (m − 1) / (m + 1). */
// @ts-ignore: decorator
@inline
export function log4(x: v128): v128 {
  const subnormal = f32x4.lt(x, all4(1.17549435e-38)); // also zero and negative, set right below
  const scaled = v128.bitselect(f32x4.mul(x, all4(33554432.0)), x, subnormal); // · 2²⁵
  const bits = i32x4.add(scaled, i32x4.splat(0x3f800000 - 0x3f3504f3));
  let k = i32x4.sub(i32x4.shr_s(bits, 23), i32x4.splat(127));
  k = i32x4.sub(k, v128.and(subnormal, i32x4.splat(25)));
  const mantissa = i32x4.add(v128.and(bits, i32x4.splat(0x007fffff)), i32x4.splat(0x3f3504f3));

  const f = f32x4.sub(mantissa, all4(1.0));
  const s = f32x4.div(f, f32x4.add(f, all4(2.0)));
  const z = f32x4.mul(s, s);
  const w = f32x4.mul(z, z);
  const odd = f32x4.mul(w, madd4(w, all4(0.24279078841), all4(0.40000972152)));
  const even = f32x4.mul(z, madd4(w, all4(0.28498786688), all4(0.66666662693)));
  const half = f32x4.mul(f32x4.mul(f, f), all4(0.5));
  const kf = f32x4.convert_i32x4_s(k);
  let y = f32x4.mul(s, f32x4.add(half, f32x4.add(odd, even)));
  y = f32x4.add(f32x4.sub(madd4(kf, all4(9.0580006145e-6), y), half), f);
  y = madd4(kf, all4(6.9313812256e-1), y);

  const zero = f32x4.eq(x, all4(0.0));
  y = v128.bitselect(all4(-Infinity), y, zero);
  // infinity and NaN stand for themselves; a negative number becomes NaN
  const finite = f32x4.lt(x, all4(Infinity));
  y = v128.bitselect(y, x, finite);
  return v128.or(y, f32x4.lt(x, all4(0.0)));
}

/** `ln(1 + x)` for x ≥ -0.5 (a sum of exponentials, a softplus), at most 1.5 ULP. Kahan's correction of log(1 + x). */
// @ts-ignore: decorator
@inline
export function log1p4(x: v128): v128 {
  const u = f32x4.add(x, all4(1.0));
  const lost = f32x4.sub(x, f32x4.sub(u, all4(1.0)));
  const corrected = f32x4.add(log4(u), f32x4.div(lost, u));
  // x + ∞ leaves ∞ − ∞ in `lost`; tiny x, where u = 1, is its own logarithm (and keeps -0)
  const y = v128.bitselect(x, corrected, f32x4.eq(u, all4(1.0)));
  return v128.bitselect(x, y, f32x4.eq(x, all4(Infinity)));
}

/** `1 / (1 + exp(-x))`, at most 2.5 ULP; exp(-|x|) keeps the left tail. */
// @ts-ignore: decorator
@inline
export function sigmoid4(x: v128): v128 {
  const e = exp4(v128.or(x, all4(-0.0)));
  const numerator = v128.bitselect(e, all4(1.0), f32x4.lt(x, all4(0.0)));
  return f32x4.div(numerator, f32x4.add(e, all4(1.0)));
}

/** `tanh(x)`, at most 1.4 ULP. Cephes' polynomial below 0.625, 1 − 2 / (exp(2|x|) + 1) above. */
// @ts-ignore: decorator
@inline
export function tanh4(x: v128): v128 {
  const magnitude = f32x4.abs(x);
  const z = f32x4.mul(x, x);
  let p = madd4(all4(-5.70498872745e-3), z, all4(2.06390887954e-2));
  p = madd4(p, z, all4(-5.37397155531e-2));
  p = madd4(p, z, all4(1.33314422036e-1));
  p = madd4(p, z, all4(-3.33332819422e-1));
  const near = madd4(f32x4.mul(p, z), x, x);
  const e = exp4(f32x4.add(magnitude, magnitude));
  const far = f32x4.sub(all4(1.0), f32x4.div(all4(2.0), f32x4.add(e, all4(1.0))));
  return copySign4(v128.bitselect(near, far, f32x4.lt(magnitude, all4(0.625))), x);
}

/**
 * `erf(x)`, at most 1.2 ULP. Two minimax polynomials by N. Juffa (https://stackoverflow.com/a/35148199, in the form
 * without a table): odd below 0.9277, 1 − exp(−polynomial) above.
 */
// @ts-ignore: decorator
@inline
export function erf4(x: v128): v128 {
  const t = f32x4.abs(x);
  const s = f32x4.mul(x, x);
  let far = madd4(all4(-1.72853470e-5), t, all4(3.83197126e-4));
  const high = madd4(all4(-3.88396438e-3), t, all4(2.42546219e-2));
  far = madd4(far, s, high);
  far = madd4(far, t, all4(-1.06777877e-1));
  far = madd4(far, t, all4(-6.34846687e-1));
  far = madd4(far, t, all4(-1.28717512e-1));
  far = f32x4.sub(f32x4.mul(far, t), t);
  far = f32x4.sub(all4(1.0), exp4(far));

  let near = madd4(all4(-5.96761703e-4), s, all4(4.99119423e-3));
  near = madd4(near, s, all4(-2.67681349e-2));
  near = madd4(near, s, all4(1.12819925e-1));
  near = madd4(near, s, all4(-3.76125336e-1));
  near = madd4(near, s, all4(1.28379166e-1));
  near = madd4(near, x, x);
  return v128.bitselect(copySign4(far, x), near, f32x4.gt(t, all4(0.927734375)));
}

/** `exp(-x² / 2)`, what normalCdf4 and the normal density share; below 2⁻¹²⁶ flushed to 0. Relative error x² · 2⁻²⁵. */
// @ts-ignore: decorator
@inline
export function gaussian4(x: v128): v128 {
  return expNonPositive4(f32x4.mul(f32x4.mul(x, x), all4(-0.5)));
}

/**
 * `Φ(x)`, the normal distribution function, given `gaussian4(x)`. The left tail keeps its relative precision, which
 * `0.5 (1 + erf(x / √2))` loses: Φ(-|x|) = ½ gaussian(x) · erfcx(|x| / √2), where erfcx(t) = w · P(w), w = 2 / (2 + t),
 * P a minimax polynomial (relative error 4.3e-8 for t in 0 .. 10, fitted with Lawson's iteration).
 */
// @ts-ignore: decorator
@inline
export function normalCdf4(x: v128, gaussian: v128): v128 {
  const t = f32x4.mul(f32x4.abs(x), all4(0.70710678118654752));
  const w = f32x4.div(all4(2.0), f32x4.add(t, all4(2.0)));
  let p = madd4(all4(-0.05906921625137329), w, all4(0.2845761775970459));
  p = madd4(p, w, all4(-0.4872022867202759));
  p = madd4(p, w, all4(0.27806979417800903));
  p = madd4(p, w, all4(-0.02662738412618637));
  p = madd4(p, w, all4(0.2026875615119934));
  p = madd4(p, w, all4(0.24310360848903656));
  p = madd4(p, w, all4(0.2823753356933594));
  p = madd4(p, w, all4(0.28208640217781067));
  const tail = f32x4.mul(f32x4.mul(p, w), f32x4.mul(gaussian, all4(0.5)));
  return v128.bitselect(tail, f32x4.sub(all4(1.0), tail), f32x4.lt(x, all4(0.0)));
}
