/**
 * How elements of each dtype come into float32 lanes and go out of them, one class a dtype, used as those of
 * unary-ops.ts. `load` and `store` move four elements, `loadOne` and `storeOne` one, in lane 0. A pointer steps by
 * `1 << shift` bytes an element.
 */
import { widenBfloat16x4, widenFloat16x4 } from './widen';

export class Float32 {
  @inline get shift(): usize { return 2; }
  @inline load(x: usize): v128 { return v128.load(x); }
  @inline loadOne(x: usize): v128 { return v128.load32_zero(x); }
  @inline store(y: usize, value: v128): void { v128.store(y, value); }
  @inline storeOne(y: usize, value: v128): void { v128.store_lane<f32>(y, value, 0); }
}

export class Float16 {
  @inline get shift(): usize { return 1; }
  @inline load(x: usize): v128 { return widenFloat16x4(v128.load16x4_u(x)); }
  @inline loadOne(x: usize): v128 { return widenFloat16x4(i32x4.splat(load<u16>(x))); }
  @inline store(y: usize, value: v128): void { v128.store_lane<i64>(y, halves(narrowToFloat16(value)), 0); }
  @inline storeOne(y: usize, value: v128): void { store<u16>(y, u16(i32x4.extract_lane(narrowToFloat16(value), 0))); }
}

export class Bfloat16 {
  @inline get shift(): usize { return 1; }
  @inline load(x: usize): v128 { return widenBfloat16x4(v128.load16x4_u(x)); }
  @inline loadOne(x: usize): v128 { return widenBfloat16x4(i32x4.splat(load<u16>(x))); }
  @inline store(y: usize, value: v128): void { v128.store_lane<i64>(y, halves(narrowToBfloat16(value)), 0); }
  @inline storeOne(y: usize, value: v128): void { store<u16>(y, u16(i32x4.extract_lane(narrowToBfloat16(value), 0))); }
}

/** Towards zero, saturating; NaN gives 0. */
export class Int32 {
  @inline get shift(): usize { return 2; }
  @inline load(x: usize): v128 { return f32x4.convert_i32x4_s(v128.load(x)); }
  @inline loadOne(x: usize): v128 { return f32x4.convert_i32x4_s(v128.load32_zero(x)); }
  @inline store(y: usize, value: v128): void { v128.store(y, i32x4.trunc_sat_f32x4_s(value)); }
  @inline storeOne(y: usize, value: v128): void { v128.store_lane<i32>(y, i32x4.trunc_sat_f32x4_s(value), 0); }
}

/** Towards zero, saturating; NaN gives 0. */
export class Uint8 {
  @inline get shift(): usize { return 0; }
  @inline load(x: usize): v128 {
    const wide = i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(x)));
    return f32x4.convert_i32x4_s(wide);
  }
  @inline loadOne(x: usize): v128 { return f32x4.splat(f32(i32(load<u8>(x)))); }
  @inline store(y: usize, value: v128): void { v128.store_lane<i32>(y, narrowToUint8(value), 0); }
  @inline storeOne(y: usize, value: v128): void { v128.store_lane<i8>(y, narrowToUint8(value), 0); }
}

/** The low halves of four 32-bit lanes, in the first 64 bits. */
// @ts-ignore: decorator
@inline
function halves(lanes: v128): v128 {
  return i16x8.narrow_i32x4_u(lanes, lanes);
}

// @ts-ignore: decorator
@inline
function narrowToUint8(value: v128): v128 {
  const whole = i32x4.trunc_sat_f32x4_s(value);
  const short = i16x8.narrow_i32x4_s(whole, whole);
  return i8x16.narrow_i16x8_u(short, short);
}

/** The bits of float16 in the low half of each lane: to nearest, ties to even; from 65520 on infinity; NaN stays NaN. */
export function narrowToFloat16(value: v128): v128 {
  const magnitude = v128.and(value, i32x4.splat(0x7fffffff));
  const sign = i32x4.shr_u(v128.and(value, i32x4.splat(0x80000000)), 16);
  // normal: rebias the exponent and round the 13 bits that go; a carry runs into the exponent, up to infinity
  const odd = v128.and(i32x4.shr_u(magnitude, 13), i32x4.splat(1));
  const rounded = i32x4.add(i32x4.add(magnitude, odd), i32x4.splat(0xfff - (112 << 23)));
  let bits = i32x4.shr_u(rounded, 13);
  // subnormal: adding ½ leaves the rounded multiple of 2⁻²⁴ in the low bits
  const half = f32x4.splat(0.5);
  const small = i32x4.sub(f32x4.add(magnitude, half), half);
  bits = v128.bitselect(small, bits, i32x4.lt_s(magnitude, i32x4.splat(0x38800000)));
  bits = v128.bitselect(i32x4.splat(0x7c00), bits, i32x4.ge_s(magnitude, i32x4.splat(0x47800000)));
  bits = v128.bitselect(i32x4.splat(0x7e00), bits, i32x4.gt_s(magnitude, i32x4.splat(0x7f800000)));
  return v128.or(bits, sign);
}

/** The bits of bfloat16 in the low half of each lane: to nearest, ties to even; NaN stays NaN. */
export function narrowToBfloat16(value: v128): v128 {
  const odd = v128.and(i32x4.shr_u(value, 16), i32x4.splat(1));
  const rounded = i32x4.shr_u(i32x4.add(i32x4.add(value, odd), i32x4.splat(0x7fff)), 16);
  const quiet = v128.or(i32x4.shr_u(value, 16), i32x4.splat(0x40));
  return v128.bitselect(quiet, rounded, f32x4.ne(value, value));
}
