import { describe, expect, it } from 'vitest';
import { dot, expectClose } from '../../src/index.js';
import type { GateOp, UnaryOp } from '../../src/reference/index.js';
import * as reference from '../../src/reference/index.js';
import { expectGradient, inputs } from './gradient.js';

const SIZE = 9;
const PARAMETER = 0.6; // not 1, not 0, so that it is seen where it is used

const anywhere: UnaryOp[] = [
  ...(['neg', 'abs', 'exp', 'reciprocal', 'square', 'sin', 'cos', 'tanh', 'sigmoid', 'erf', 'relu'] as const),
  ...(['geluErf', 'geluTanh', 'quickGelu', 'silu', 'addScalar', 'mulScalar', 'clampMin', 'clampMax'] as const),
];
const abovezero: UnaryOp[] = ['log', 'sqrt', 'rsqrt', 'powScalar'];

function unary(op: UnaryOp, x: Float64Array, parameter = PARAMETER): Float64Array {
  const y = new Float64Array(x.length);
  reference.unary(op, x, y, x.length, parameter);
  return y;
}

describe('unary', () => {
  it.each([...anywhere, ...abovezero])('has the gradient of its values: %s', (op) => {
    const x = abovezero.includes(op) ? inputs(1, SIZE).map(Math.abs) : inputs(1, SIZE);
    const g = inputs(2, SIZE);
    const dx = new Float64Array(SIZE);
    reference.unaryBackward(op, x, g, dx, SIZE, PARAMETER);
    expectGradient(dx, (at) => unary(op, at), x, g);
  });

  // from the definitions, in mpmath 1.3 with 30 digits
  it('gives the values that the definitions give', () => {
    const x = Float64Array.of(2);
    const values: [UnaryOp, number][] = [
      ['neg', -2],
      ['reciprocal', 0.5],
      ['square', 4],
      ['rsqrt', Math.SQRT1_2],
      ['sigmoid', 0.8807970779778824],
      ['geluErf', 1.9544997361036416],
      ['geluTanh', 1.954597694087775],
      ['quickGelu', 1.9356586231442081],
      ['silu', 1.5370495669980353],
      ['powScalar', 1.515716566510398],
      ['clampMin', 2],
      ['clampMax', 0.6],
    ];
    for (const [op, expected] of values) expectClose(unary(op, x), [expected], { rtol: 1e-15, atol: 0 }, op);
  });

  it('has slope 0 at kinks, and 1 at the bound of a clamp', () => {
    const slope = (op: UnaryOp, x: number) => {
      const dx = new Float64Array(1);
      reference.unaryBackward(op, Float64Array.of(x), Float64Array.of(1), dx, 1, 0);
      return dx[0];
    };
    expect([slope('relu', 0), slope('abs', 0), slope('clampMin', 0), slope('clampMax', 0)]).toEqual([0, 0, 1, 1]);
  });
});

describe('gated', () => {
  it.each<GateOp>(['silu', 'geluErf', 'geluTanh', 'relu', 'sigmoid'])('has the gradient of its values: %s', (op) => {
    const [gate, up, g] = [inputs(3, SIZE), inputs(4, SIZE), inputs(5, SIZE)];
    const [dgate, dup] = [new Float64Array(SIZE), new Float64Array(SIZE)];
    reference.gatedBackward(op, gate, up, g, dgate, dup, SIZE);
    const forward = (gateAt: Float64Array, upAt: Float64Array) => {
      const y = new Float64Array(SIZE);
      reference.gated(op, gateAt, upAt, y, SIZE);
      return y;
    };
    expectGradient(dgate, (at) => forward(at, up), gate, g);
    expectGradient(dup, (at) => forward(gate, at), up, g);
  });
});

describe('binary and where', () => {
  it('repeats an axis whose stride is 0', () => {
    const y = new Float64Array(6);
    reference.binary('sub', Float64Array.of(10, 20), Float64Array.of(1, 2, 3), y, [2, 3], [1, 0], [0, 1]);
    expect([...y]).toEqual([9, 8, 7, 19, 18, 17]);
    reference.where(
      Uint8Array.of(0, 7),
      Float64Array.of(1, 2, 3),
      Float64Array.of(-1),
      y,
      [2, 3],
      [1, 0],
      [0, 1],
      [0, 0],
    );
    expect([...y]).toEqual([-1, -1, -1, 1, 2, 3]);
  });

  it('passes NaN on in maximum and minimum', () => {
    const y = new Float64Array(2);
    for (const op of ['maximum', 'minimum'] as const) {
      reference.binary(op, Float64Array.of(NaN, 1), Float64Array.of(1, NaN), y, [2], [1], [1]);
      expect(dot([...y].map(Number.isNaN).map(Number), [1, 1])).toBe(2);
    }
  });
});
