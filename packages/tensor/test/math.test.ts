import { describe, expect, it } from 'vitest';
import { CpuDevice } from '../src/cpu/index.js';
import type { UnaryOp } from '../src/kernels/elementwise.js';

const device = new CpuDevice();

/** float64, good to 1e-15: a series near 0, a continued fraction far out. */
function erfc(x: number): number {
  if (x < 2) return 1 - erf(x);
  let fraction = 0;
  for (let k = 100; k > 0; k--) fraction = k / 2 / (x + fraction);
  return Math.exp(-x * x) / Math.sqrt(Math.PI) / (x + fraction);
}

function erf(x: number): number {
  if (x === 0) return x; // keeps -0
  if (x < 0) return -erf(-x);
  if (x >= 2) return 1 - erfc(x);
  let [sum, term] = [x, x];
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const sigmoid = (x: number) => (x < 0 ? Math.exp(x) / (1 + Math.exp(x)) : 1 / (1 + Math.exp(-x)));

/** Function, reference, and the largest error in ULP that assembly/math.ts states. */
const STATED: readonly (readonly [UnaryOp, (x: number) => number, number])[] = [
  ['exp', Math.exp, 1.1],
  ['log', Math.log, 0.9],
  ['sin', Math.sin, 1.6],
  ['cos', Math.cos, 1.6],
  ['tanh', Math.tanh, 1.4],
  ['sigmoid', sigmoid, 2.5],
  ['erf', erf, 1.2],
];

const COUNT = 2 ** 18;
const STRIDE = 2 ** 32 / COUNT; // odd numbers beside it below, so that the low bits vary

/** Numbers spread evenly over all bit patterns of float32, and more between -100 and 100 where functions are not flat. */
function samples(): Float32Array {
  const patterns = new Float32Array(
    Uint32Array.from({ length: COUNT }, (_, i) => i * STRIDE + ((i * 40503) % STRIDE)).buffer,
  );
  const middle = Float32Array.from({ length: COUNT }, (_, i) => ((i / COUNT) * 2 - 1) ** 3 * 100);
  return Float32Array.from([...patterns, ...middle]);
}

function apply(op: UnaryOp, x: Float32Array): Float32Array {
  const buffer = device.memory.allocate(x.byteLength);
  device.write(buffer, new Uint8Array(x.buffer, x.byteOffset, x.byteLength));
  device.kernels.unary(op, buffer, buffer, x.length, 0);
  const y = new Float32Array(device.readNow(buffer).buffer);
  device.memory.free(buffer);
  return y;
}

/** The unit in the last place of a float32 near `value`. */
function ulp(value: number): number {
  return 2 ** (Math.max(-126, Math.floor(Math.log2(Math.abs(value)))) - 23);
}

describe.each(STATED)('%s', (op, reference, bound) => {
  it(`is within ${bound} ULP everywhere, subnormal numbers too`, () => {
    const x = samples();
    const y = apply(op, x);
    let worst = { error: 0, at: 0 };
    for (let i = 0; i < x.length; i++) {
      const exact = reference(x[i]!);
      const rounded = Math.fround(exact);
      if (Object.is(y[i], rounded)) continue;
      const error =
        Number.isFinite(rounded) && exact !== 0 ? Math.abs(y[i]! - exact) / ulp(exact) : Number.POSITIVE_INFINITY;
      if (!(error <= worst.error)) worst = { error, at: x[i]! };
    }
    expect(worst.error, `worst at ${worst.at}`).toBeLessThanOrEqual(bound);
  });

  it('is right at zeros, infinities and NaN', () => {
    const x = Float32Array.of(0, -0, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN);
    expect([...apply(op, x)]).toEqual([...x].map((v) => Math.fround(reference(v))));
  });
});

describe('geluErf', () => {
  // Φ keeps its relative precision in the left tail, where 1 + erf(x / √2) has none left
  it('is within 40 ULP of x Φ(x) down to -10', () => {
    const x = Float32Array.from({ length: 40_000 }, (_, i) => i / 2000 - 10);
    const y = apply('geluErf', x);
    let worst = 0;
    for (let i = 0; i < x.length; i++) {
      const exact = (x[i]! / 2) * erfc(-x[i]! / Math.SQRT2);
      if (exact !== 0) worst = Math.max(worst, Math.abs(y[i]! - exact) / ulp(exact));
    }
    expect(worst).toBeLessThanOrEqual(40);
  });
});
