/**
 * `y = a op b`, broadcast. y is rows of `length` elements; along a row an operand has the stride `aStep` or `bStep` (in
 * elements; 1 and 0 are fast), from row to row those of `dims` (see odometer.ts). begin .. end are elements of y.
 */
import { Add, Div, Maximum, Minimum, Mul, Pow, Sub } from './binary-ops';
import { loadTail4, storeTail4 } from './lanes';
import { rowStart } from './odometer';

// @ts-ignore: decorator
@inline
function broadcast<Op>(
  a: usize, b: usize, y: usize, dims: usize, rank: usize, length: usize, aStep: usize, bStep: usize,
  begin: usize, end: usize,
): void {
  if (begin >= end) return; // a length of 0 has no rows
  let row = begin / length;
  let column = begin - row * length;
  for (let i = begin; i < end; row++) {
    const count = min<usize>(length - column, end - i);
    const aRow = a + ((rowStart(dims, rank, 0, row) + column * aStep) << 2);
    const bRow = b + ((rowStart(dims, rank, 1, row) + column * bStep) << 2);
    const yRow = y + (i << 2);
    if (aStep == 1 && bStep == 1) bothContiguous<Op>(aRow, bRow, yRow, count);
    else if (aStep == 1 && bStep == 0) rightScalar<Op>(aRow, load<f32>(bRow), yRow, count);
    else if (aStep == 0 && bStep == 1) leftScalar<Op>(load<f32>(aRow), bRow, yRow, count);
    else strided<Op>(aRow, bRow, yRow, aStep << 2, bStep << 2, count);
    i += count;
    column = 0;
  }
}

// @ts-ignore: decorator
@inline
function bothContiguous<Op>(a: usize, b: usize, y: usize, count: usize): void {
  const op = changetype<Op>(0);
  const stop = (count & ~3) << 2;
  for (let i: usize = 0; i < stop; i += 16) v128.store(y + i, op.value(v128.load(a + i), v128.load(b + i)));
  const rest = count & 3;
  if (rest) storeTail4(y + stop, op.value(loadTail4(a + stop, rest), loadTail4(b + stop, rest)), rest);
}

// @ts-ignore: decorator
@inline
function rightScalar<Op>(a: usize, b: f32, y: usize, count: usize): void {
  const op = changetype<Op>(0);
  const right = f32x4.splat(b);
  const stop = (count & ~3) << 2;
  for (let i: usize = 0; i < stop; i += 16) v128.store(y + i, op.value(v128.load(a + i), right));
  const rest = count & 3;
  if (rest) storeTail4(y + stop, op.value(loadTail4(a + stop, rest), right), rest);
}

// @ts-ignore: decorator
@inline
function leftScalar<Op>(a: f32, b: usize, y: usize, count: usize): void {
  const op = changetype<Op>(0);
  const left = f32x4.splat(a);
  const stop = (count & ~3) << 2;
  for (let i: usize = 0; i < stop; i += 16) v128.store(y + i, op.value(left, v128.load(b + i)));
  const rest = count & 3;
  if (rest) storeTail4(y + stop, op.value(left, loadTail4(b + stop, rest)), rest);
}

/** Steps in bytes. */
// @ts-ignore: decorator
@inline
function strided<Op>(a: usize, b: usize, y: usize, aStep: usize, bStep: usize, count: usize): void {
  const op = changetype<Op>(0);
  for (let i: usize = 0; i < count; i++) {
    const result = op.value(v128.load32_zero(a), v128.load32_zero(b));
    v128.store_lane<f32>(y + (i << 2), result, 0);
    a += aStep;
    b += bStep;
  }
}

export function binaryAdd(
  a: usize, b: usize, y: usize, dims: usize, rank: usize, length: usize, aStep: usize, bStep: usize,
  begin: usize, end: usize,
): void {
  broadcast<Add>(a, b, y, dims, rank, length, aStep, bStep, begin, end);
}

export function binarySub(
  a: usize, b: usize, y: usize, dims: usize, rank: usize, length: usize, aStep: usize, bStep: usize,
  begin: usize, end: usize,
): void {
  broadcast<Sub>(a, b, y, dims, rank, length, aStep, bStep, begin, end);
}

export function binaryMul(
  a: usize, b: usize, y: usize, dims: usize, rank: usize, length: usize, aStep: usize, bStep: usize,
  begin: usize, end: usize,
): void {
  broadcast<Mul>(a, b, y, dims, rank, length, aStep, bStep, begin, end);
}

export function binaryDiv(
  a: usize, b: usize, y: usize, dims: usize, rank: usize, length: usize, aStep: usize, bStep: usize,
  begin: usize, end: usize,
): void {
  broadcast<Div>(a, b, y, dims, rank, length, aStep, bStep, begin, end);
}

export function binaryPow(
  a: usize, b: usize, y: usize, dims: usize, rank: usize, length: usize, aStep: usize, bStep: usize,
  begin: usize, end: usize,
): void {
  broadcast<Pow>(a, b, y, dims, rank, length, aStep, bStep, begin, end);
}

export function binaryMaximum(
  a: usize, b: usize, y: usize, dims: usize, rank: usize, length: usize, aStep: usize, bStep: usize,
  begin: usize, end: usize,
): void {
  broadcast<Maximum>(a, b, y, dims, rank, length, aStep, bStep, begin, end);
}

export function binaryMinimum(
  a: usize, b: usize, y: usize, dims: usize, rank: usize, length: usize, aStep: usize, bStep: usize,
  begin: usize, end: usize,
): void {
  broadcast<Minimum>(a, b, y, dims, rank, length, aStep, bStep, begin, end);
}

