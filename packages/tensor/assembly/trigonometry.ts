import { all4, madd4 } from './math';

/** 2 / π, and π / 2 in two parts; the first has 33 bits, so that n · first is exact for |n| < 2²⁰. */
const TWO_OVER_PI: f64 = 0.63661977236758134308;
const HALF_PI_HIGH: f64 = 1.57079631090164184570;
const HALF_PI_LOW: f64 = 1.58932547735281966916e-8;

/** Beyond this the reduction below loses digits: such lanes go through the scalar library, one by one. */
const LARGE: f32 = 1.0e6;

/** `sin(r)` for |r| ≤ π/4 (Cephes). */
// @ts-ignore: decorator
@inline
function sinNear4(r: v128, z: v128): v128 {
  let p = madd4(all4(-1.9515295891e-4), z, all4(8.3321608736e-3));
  p = madd4(p, z, all4(-1.6666654611e-1));
  return madd4(f32x4.mul(p, z), r, r);
}

/** `cos(r)` for z = r², |r| ≤ π/4 (Cephes). */
// @ts-ignore: decorator
@inline
function cosNear4(z: v128): v128 {
  let p = madd4(all4(2.443315711809948e-5), z, all4(-1.388731625493765e-3));
  p = madd4(p, z, all4(4.166664568298827e-2));
  return f32x4.add(madd4(f32x4.mul(p, z), z, f32x4.mul(z, all4(-0.5))), all4(1.0));
}

/** `sin(r + n π/2)` for |r| ≤ π/4. */
// @ts-ignore: decorator
@inline
function sinQuadrant4(r: v128, n: v128): v128 {
  const z = f32x4.mul(r, r);
  const odd = i32x4.shr_s(i32x4.shl(n, 31), 31);
  const sign = i32x4.shl(i32x4.shr_u(n, 1), 31);
  return v128.xor(v128.bitselect(cosNear4(z), sinNear4(r, z), odd), sign);
}

/** `sin(x + quadrant · π/2)`: x = n π/2 + r, reduced in float64. */
// @ts-ignore: decorator
@inline
function sinReduced4(x: v128, quadrant: i32): v128 {
  const low = f64x2.promote_low_f32x4(x);
  const high = f64x2.promote_low_f32x4(v128.shuffle<f32>(x, x, 2, 3, 0, 1));
  const nLow = f64x2.nearest(f64x2.mul(low, f64x2.splat(TWO_OVER_PI)));
  const nHigh = f64x2.nearest(f64x2.mul(high, f64x2.splat(TWO_OVER_PI)));
  const r = v128.shuffle<u64>(f32x4.demote_f64x2_zero(reduce2(low, nLow)), f32x4.demote_f64x2_zero(reduce2(high, nHigh)), 0, 2);
  const n = v128.shuffle<u64>(i32x4.trunc_sat_f64x2_s_zero(nLow), i32x4.trunc_sat_f64x2_s_zero(nHigh), 0, 2);
  return sinQuadrant4(r, i32x4.add(n, i32x4.splat(quadrant)));
}

// @ts-ignore: decorator
@inline
function reduce2(x: v128, n: v128): v128 {
  const near = f64x2.sub(x, f64x2.mul(n, f64x2.splat(HALF_PI_HIGH)));
  return f64x2.sub(near, f64x2.mul(n, f64x2.splat(HALF_PI_LOW)));
}

/** `sin(x)`, at most 1.6 ULP. */
export function sin4(x: v128): v128 {
  const large = f32x4.ge(f32x4.abs(x), all4(LARGE));
  // -0 would lose its sign in the reduction
  const y = v128.bitselect(x, sinReduced4(x, 0), f32x4.eq(x, all4(0.0)));
  return v128.any_true(large) ? scalarLanes4(x, y, true) : y;
}

/** `cos(x)`, at most 1.6 ULP. */
export function cos4(x: v128): v128 {
  const large = f32x4.ge(f32x4.abs(x), all4(LARGE));
  const y = sinReduced4(x, 1);
  return v128.any_true(large) ? scalarLanes4(x, y, false) : y;
}

/** `y` with the lanes of large or infinite x computed one by one, with the full reduction. */
function scalarLanes4(x: v128, y: v128, sine: bool): v128 {
  y = f32x4.replace_lane(y, 0, scalarLane(f32x4.extract_lane(x, 0), f32x4.extract_lane(y, 0), sine));
  y = f32x4.replace_lane(y, 1, scalarLane(f32x4.extract_lane(x, 1), f32x4.extract_lane(y, 1), sine));
  y = f32x4.replace_lane(y, 2, scalarLane(f32x4.extract_lane(x, 2), f32x4.extract_lane(y, 2), sine));
  return f32x4.replace_lane(y, 3, scalarLane(f32x4.extract_lane(x, 3), f32x4.extract_lane(y, 3), sine));
}

function scalarLane(x: f32, y: f32, sine: bool): f32 {
  if (!(abs(x) >= LARGE)) return y;
  return f32(sine ? NativeMath.sin(x) : NativeMath.cos(x)); // NativeMathf is wrong for some x above 1e26
}

/** `sin(2π u + quadrant · π/2)` for u in [0, 1): exact reduction, since 4 u is exact. */
// @ts-ignore: decorator
@inline
export function sinTurn4(u: v128, quadrant: i32): v128 {
  const quarter = f32x4.mul(u, all4(4.0));
  const n = f32x4.nearest(quarter);
  const r = f32x4.mul(f32x4.sub(quarter, n), all4(1.57079632679489662));
  return sinQuadrant4(r, i32x4.add(i32x4.trunc_sat_f32x4_s(n), i32x4.splat(quadrant)));
}
