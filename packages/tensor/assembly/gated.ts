/** The gate of a feed-forward: `y = activation(gate) · up`, its gradient, and `y += alpha · x`; elements begin .. end. */
import { loadTail4, storeTail4 } from './lanes';
import { all4, madd4 } from './math';
import { GeluErf, GeluTanh, Relu, Sigmoid, Silu } from './unary-ops';

// @ts-ignore: decorator
@inline
function forward<Op>(gate: usize, up: usize, y: usize, begin: usize, end: usize): void {
  const op = changetype<Op>(0);
  const one = all4(1.0); // silu's beta
  const whole = begin + ((end - begin) & ~3);
  const stop = whole << 2;
  for (let i = begin << 2; i < stop; i += 16) {
    v128.store(y + i, f32x4.mul(op.value(v128.load(gate + i), one), v128.load(up + i)));
  }
  const rest = end - whole;
  if (!rest) return;
  storeTail4(y + stop, f32x4.mul(op.value(loadTail4(gate + stop, rest), one), loadTail4(up + stop, rest)), rest);
}

// @ts-ignore: decorator
@inline
function backward<Op>(gate: usize, up: usize, g: usize, dgate: usize, dup: usize, begin: usize, end: usize): void {
  const op = changetype<Op>(0);
  const one = all4(1.0);
  const whole = begin + ((end - begin) & ~3);
  const stop = whole << 2;
  for (let i = begin << 2; i < stop; i += 16) {
    const x = v128.load(gate + i);
    const u = v128.load(up + i);
    const upstream = v128.load(g + i);
    v128.store(dgate + i, f32x4.mul(f32x4.mul(upstream, u), op.slope(x, one)));
    v128.store(dup + i, f32x4.mul(upstream, op.value(x, one)));
  }
  const rest = end - whole;
  if (!rest) return;
  const x = loadTail4(gate + stop, rest);
  const u = loadTail4(up + stop, rest);
  const upstream = loadTail4(g + stop, rest);
  storeTail4(dgate + stop, f32x4.mul(f32x4.mul(upstream, u), op.slope(x, one)), rest);
  storeTail4(dup + stop, f32x4.mul(upstream, op.value(x, one)), rest);
}

export function addScaled(x: usize, y: usize, alpha: f32, begin: usize, end: usize): void {
  const factor = all4(alpha);
  const whole = begin + ((end - begin) & ~3);
  const stop = whole << 2;
  for (let i = begin << 2; i < stop; i += 16) v128.store(y + i, madd4(v128.load(x + i), factor, v128.load(y + i)));
  const rest = end - whole;
  if (rest) storeTail4(y + stop, madd4(loadTail4(x + stop, rest), factor, loadTail4(y + stop, rest)), rest);
}

export function gatedSilu(gate: usize, up: usize, y: usize, begin: usize, end: usize): void {
  forward<Silu>(gate, up, y, begin, end);
}

export function gatedBackwardSilu(
  gate: usize, up: usize, g: usize, dgate: usize, dup: usize, begin: usize, end: usize,
): void {
  backward<Silu>(gate, up, g, dgate, dup, begin, end);
}

export function gatedGeluErf(gate: usize, up: usize, y: usize, begin: usize, end: usize): void {
  forward<GeluErf>(gate, up, y, begin, end);
}

export function gatedBackwardGeluErf(
  gate: usize, up: usize, g: usize, dgate: usize, dup: usize, begin: usize, end: usize,
): void {
  backward<GeluErf>(gate, up, g, dgate, dup, begin, end);
}

export function gatedGeluTanh(gate: usize, up: usize, y: usize, begin: usize, end: usize): void {
  forward<GeluTanh>(gate, up, y, begin, end);
}

export function gatedBackwardGeluTanh(
  gate: usize, up: usize, g: usize, dgate: usize, dup: usize, begin: usize, end: usize,
): void {
  backward<GeluTanh>(gate, up, g, dgate, dup, begin, end);
}

export function gatedRelu(gate: usize, up: usize, y: usize, begin: usize, end: usize): void {
  forward<Relu>(gate, up, y, begin, end);
}

export function gatedBackwardRelu(
  gate: usize, up: usize, g: usize, dgate: usize, dup: usize, begin: usize, end: usize,
): void {
  backward<Relu>(gate, up, g, dgate, dup, begin, end);
}

export function gatedSigmoid(gate: usize, up: usize, y: usize, begin: usize, end: usize): void {
  forward<Sigmoid>(gate, up, y, begin, end);
}

export function gatedBackwardSigmoid(
  gate: usize, up: usize, g: usize, dgate: usize, dup: usize, begin: usize, end: usize,
): void {
  backward<Sigmoid>(gate, up, g, dgate, dup, begin, end);
}

