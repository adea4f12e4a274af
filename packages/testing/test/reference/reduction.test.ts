import { describe, expect, it } from 'vitest';
import * as reference from '../../src/reference/index.js';
import { expectGradient, inputs } from './gradient.js';

const [OUTER, LENGTH, INNER] = [2, 5, 3];

describe('reduceExtremumBackward', () => {
  it.each(['max', 'min', 'maxAbs'] as const)('has the gradient of reduce where there are no ties: %s', (op) => {
    const [x, g] = [inputs(1, OUTER * LENGTH * INNER), inputs(2, OUTER * INNER)];
    const forward = (at: Float64Array) => {
      const y = new Float64Array(OUTER * INNER);
      reference.reduce(op, at, y, OUTER, LENGTH, INNER);
      return y;
    };
    const dx = new Float64Array(x.length);
    reference.reduceExtremumBackward(op, x, forward(x), g, dx, OUTER, LENGTH, INNER);
    expectGradient(dx, forward, x, g);
  });

  // as torch.amax(torch.tensor([-2., 1, 2, -2]).abs()) gives it
  it('shares the gradient among ties', () => {
    const dx = new Float64Array(4);
    reference.reduceExtremumBackward(
      'maxAbs',
      Float64Array.of(-2, 1, 2, -2),
      Float64Array.of(2),
      Float64Array.of(3),
      dx,
      1,
      4,
      1,
    );
    expect([...dx]).toEqual([-1, 0, 1, -1]);
  });
});

describe('reduce', () => {
  it('joins the middle axis', () => {
    const x = Float64Array.of(1, -2, 3, -4, -5, 6, 7, 8);
    const reduced = (op: reference.ReduceOp) => {
      const y = new Float64Array(4);
      reference.reduce(op, x, y, 2, 2, 2);
      return [...y];
    };
    expect(reduced('sum')).toEqual([4, -6, 2, 14]);
    expect(reduced('sumAbs')).toEqual([4, 6, 12, 14]);
    expect(reduced('sumSquares')).toEqual([10, 20, 74, 100]);
    expect(reduced('max')).toEqual([3, -2, 7, 8]);
    expect(reduced('min')).toEqual([1, -4, -5, 6]);
    expect(reduced('maxAbs')).toEqual([3, 4, 7, 8]);
  });
});

describe('softmax', () => {
  it.each([false, true])('has the gradient of its values, log: %s', (log) => {
    const [rows, cols] = [3, 5];
    const [x, g] = [inputs(3, rows * cols), inputs(4, rows * cols)];
    const forward = (at: Float64Array) => {
      const y = new Float64Array(rows * cols);
      reference.softmax(at, y, rows, cols, log);
      return y;
    };
    const dx = new Float64Array(rows * cols);
    reference.softmaxBackward(forward(x), g, dx, rows, cols, log);
    expectGradient(dx, forward, x, g);
  });

  it('gives 0 to −∞, zeros to a row of −∞, NaN to a row with NaN or +∞', () => {
    const y = new Float64Array(8);
    const x = Float64Array.of(0, -Infinity, -Infinity, -Infinity, NaN, 0, Infinity, 0);
    reference.softmax(x, y, 4, 2, false);
    expect([...y]).toEqual([1, 0, 0, 0, NaN, NaN, NaN, NaN]);
    reference.softmax(x, y, 4, 2, true);
    expect([...y]).toEqual([0, -Infinity, -Infinity, -Infinity, NaN, NaN, NaN, NaN]);
  });
});
