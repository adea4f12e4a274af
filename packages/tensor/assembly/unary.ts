/** `y = f(x)` and `dx = g · f'(x)` over elements begin .. end; one export an operation, each a loop of its own. */
import { loadTail4, storeTail4 } from './lanes';
import {
  Abs,
  AddScalar,
  ClampMax,
  ClampMin,
  Cos,
  Erf,
  Exp,
  GeluErf,
  GeluTanh,
  Log,
  MulScalar,
  Neg,
  PowScalar,
  QuickGelu,
  Reciprocal,
  Relu,
  Rsqrt,
  Sigmoid,
  Silu,
  Sin,
  Sqrt,
  Square,
  Tanh,
} from './unary-ops';

// @ts-ignore: decorator
@inline
function forward<Op>(x: usize, y: usize, begin: usize, end: usize, parameter: f32): void {
  const op = changetype<Op>(0);
  const p = f32x4.splat(parameter);
  const whole = begin + ((end - begin) & ~3);
  const stop = whole << 2;
  for (let i = begin << 2; i < stop; i += 16) v128.store(y + i, op.value(v128.load(x + i), p));
  if (whole < end) storeTail4(y + stop, op.value(loadTail4(x + stop, end - whole), p), end - whole);
}

// @ts-ignore: decorator
@inline
function backward<Op>(x: usize, g: usize, dx: usize, begin: usize, end: usize, parameter: f32): void {
  const op = changetype<Op>(0);
  const p = f32x4.splat(parameter);
  const whole = begin + ((end - begin) & ~3);
  const stop = whole << 2;
  for (let i = begin << 2; i < stop; i += 16) {
    v128.store(dx + i, f32x4.mul(v128.load(g + i), op.slope(v128.load(x + i), p)));
  }
  if (whole < end) {
    const count = end - whole;
    storeTail4(dx + stop, f32x4.mul(loadTail4(g + stop, count), op.slope(loadTail4(x + stop, count), p)), count);
  }
}

export function unaryNeg(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Neg>(x, y, begin, end, p);
}

export function unaryAbs(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Abs>(x, y, begin, end, p);
}

export function unaryExp(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Exp>(x, y, begin, end, p);
}

export function unaryLog(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Log>(x, y, begin, end, p);
}

export function unarySqrt(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Sqrt>(x, y, begin, end, p);
}

export function unaryRsqrt(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Rsqrt>(x, y, begin, end, p);
}

export function unaryReciprocal(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Reciprocal>(x, y, begin, end, p);
}

export function unarySquare(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Square>(x, y, begin, end, p);
}

export function unarySin(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Sin>(x, y, begin, end, p);
}

export function unaryCos(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Cos>(x, y, begin, end, p);
}

export function unaryTanh(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Tanh>(x, y, begin, end, p);
}

export function unarySigmoid(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Sigmoid>(x, y, begin, end, p);
}

export function unaryErf(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Erf>(x, y, begin, end, p);
}

export function unaryRelu(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Relu>(x, y, begin, end, p);
}

export function unaryGeluErf(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<GeluErf>(x, y, begin, end, p);
}

export function unaryGeluTanh(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<GeluTanh>(x, y, begin, end, p);
}

export function unaryQuickGelu(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<QuickGelu>(x, y, begin, end, p);
}

export function unarySilu(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<Silu>(x, y, begin, end, p);
}

export function unaryAddScalar(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<AddScalar>(x, y, begin, end, p);
}

export function unaryMulScalar(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<MulScalar>(x, y, begin, end, p);
}

export function unaryPowScalar(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<PowScalar>(x, y, begin, end, p);
}

export function unaryClampMin(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<ClampMin>(x, y, begin, end, p);
}

export function unaryClampMax(x: usize, y: usize, p: f32, begin: usize, end: usize): void {
  forward<ClampMax>(x, y, begin, end, p);
}

export function unaryBackwardNeg(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Neg>(x, g, dx, begin, end, p);
}

export function unaryBackwardAbs(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Abs>(x, g, dx, begin, end, p);
}

export function unaryBackwardExp(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Exp>(x, g, dx, begin, end, p);
}

export function unaryBackwardLog(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Log>(x, g, dx, begin, end, p);
}

export function unaryBackwardSqrt(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Sqrt>(x, g, dx, begin, end, p);
}

export function unaryBackwardRsqrt(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Rsqrt>(x, g, dx, begin, end, p);
}

export function unaryBackwardReciprocal(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Reciprocal>(x, g, dx, begin, end, p);
}

export function unaryBackwardSquare(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Square>(x, g, dx, begin, end, p);
}

export function unaryBackwardSin(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Sin>(x, g, dx, begin, end, p);
}

export function unaryBackwardCos(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Cos>(x, g, dx, begin, end, p);
}

export function unaryBackwardTanh(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Tanh>(x, g, dx, begin, end, p);
}

export function unaryBackwardSigmoid(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Sigmoid>(x, g, dx, begin, end, p);
}

export function unaryBackwardErf(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Erf>(x, g, dx, begin, end, p);
}

export function unaryBackwardRelu(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Relu>(x, g, dx, begin, end, p);
}

export function unaryBackwardGeluErf(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<GeluErf>(x, g, dx, begin, end, p);
}

export function unaryBackwardGeluTanh(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<GeluTanh>(x, g, dx, begin, end, p);
}

export function unaryBackwardQuickGelu(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<QuickGelu>(x, g, dx, begin, end, p);
}

export function unaryBackwardSilu(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<Silu>(x, g, dx, begin, end, p);
}

export function unaryBackwardAddScalar(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<AddScalar>(x, g, dx, begin, end, p);
}

export function unaryBackwardMulScalar(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<MulScalar>(x, g, dx, begin, end, p);
}

export function unaryBackwardPowScalar(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<PowScalar>(x, g, dx, begin, end, p);
}

export function unaryBackwardClampMin(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<ClampMin>(x, g, dx, begin, end, p);
}

export function unaryBackwardClampMax(x: usize, g: usize, dx: usize, p: f32, begin: usize, end: usize): void {
  backward<ClampMax>(x, g, dx, begin, end, p);
}
