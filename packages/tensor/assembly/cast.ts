/** Conversions between dtypes, elements begin .. end; all go through float32 lanes. */
import { Bfloat16, Float16, Float32, Int32, Uint8, narrowToBfloat16, narrowToFloat16 } from './storage';

// @ts-ignore: decorator
@inline
function convert<From, To>(x: usize, y: usize, begin: usize, end: usize): void {
  const from = changetype<From>(0);
  const to = changetype<To>(0);
  const whole = begin + ((end - begin) & ~3);
  let i = begin;
  for (; i < whole; i += 4) to.store(y + (i << to.shift), from.load(x + (i << from.shift)));
  for (; i < end; i++) to.storeOne(y + (i << to.shift), from.loadOne(x + (i << from.shift)));
}

/** The bits of one float16, for filling. */
export function float16Bits(value: f32): u32 {
  return i32x4.extract_lane(narrowToFloat16(f32x4.splat(value)), 0);
}

/** The bits of one bfloat16, for filling. */
export function bfloat16Bits(value: f32): u32 {
  return i32x4.extract_lane(narrowToBfloat16(f32x4.splat(value)), 0);
}

export function castFloat32ToFloat16(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Float32, Float16>(x, y, begin, end);
}

export function castFloat32ToBfloat16(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Float32, Bfloat16>(x, y, begin, end);
}

export function castFloat32ToInt32(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Float32, Int32>(x, y, begin, end);
}

export function castFloat32ToUint8(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Float32, Uint8>(x, y, begin, end);
}

export function castFloat16ToFloat32(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Float16, Float32>(x, y, begin, end);
}

export function castFloat16ToBfloat16(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Float16, Bfloat16>(x, y, begin, end);
}

export function castFloat16ToInt32(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Float16, Int32>(x, y, begin, end);
}

export function castFloat16ToUint8(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Float16, Uint8>(x, y, begin, end);
}

export function castBfloat16ToFloat32(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Bfloat16, Float32>(x, y, begin, end);
}

export function castBfloat16ToFloat16(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Bfloat16, Float16>(x, y, begin, end);
}

export function castBfloat16ToInt32(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Bfloat16, Int32>(x, y, begin, end);
}

export function castBfloat16ToUint8(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Bfloat16, Uint8>(x, y, begin, end);
}

export function castInt32ToFloat32(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Int32, Float32>(x, y, begin, end);
}

export function castInt32ToFloat16(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Int32, Float16>(x, y, begin, end);
}

export function castInt32ToBfloat16(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Int32, Bfloat16>(x, y, begin, end);
}

export function castInt32ToUint8(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Int32, Uint8>(x, y, begin, end);
}

export function castUint8ToFloat32(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Uint8, Float32>(x, y, begin, end);
}

export function castUint8ToFloat16(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Uint8, Float16>(x, y, begin, end);
}

export function castUint8ToBfloat16(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Uint8, Bfloat16>(x, y, begin, end);
}

export function castUint8ToInt32(x: usize, y: usize, begin: usize, end: usize): void {
  convert<Uint8, Int32>(x, y, begin, end);
}
