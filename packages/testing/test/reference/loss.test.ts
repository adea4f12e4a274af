import { describe, it } from 'vitest';
import * as reference from '../../src/reference/index.js';
import { expectGradient, inputs } from './gradient.js';

const [ROWS, COLS] = [4, 5];

describe('crossEntropy', () => {
  it.each([
    { smoothing: 0, weighted: false },
    { smoothing: 0.2, weighted: false },
    { smoothing: 0.2, weighted: true },
  ])('has the gradient of its values: %o', ({ smoothing, weighted }) => {
    const [logits, g] = [inputs(1, ROWS * COLS), inputs(2, ROWS)];
    const labels = Int32Array.of(4, -100, 0, 2);
    const classWeight = weighted ? inputs(3, COLS).map(Math.abs) : null;
    const forward = (at: Float64Array, lse = new Float64Array(ROWS)) => {
      const loss = new Float64Array(ROWS);
      reference.crossEntropy(at, labels, classWeight, loss, lse, ROWS, COLS, -100, smoothing);
      return loss;
    };
    const [lse, dlogits] = [new Float64Array(ROWS), new Float64Array(ROWS * COLS)];
    forward(logits, lse);
    reference.crossEntropyBackward(logits, labels, classWeight, lse, g, dlogits, ROWS, COLS, -100, smoothing);
    expectGradient(dlogits, forward, logits, g);
  });
});

describe('bceWithLogits', () => {
  it.each([true, false])('has the gradient of its values, posWeight: %s', (weighted) => {
    const [logits, g] = [inputs(1, ROWS * COLS), inputs(2, ROWS * COLS)];
    const target = inputs(4, ROWS * COLS).map((t) => Math.abs(t) % 1);
    const posWeight = weighted ? inputs(3, COLS).map(Math.abs) : null;
    const forward = (at: Float64Array) => {
      const loss = new Float64Array(ROWS * COLS);
      reference.bceWithLogits(at, target, posWeight, loss, ROWS, COLS);
      return loss;
    };
    const dlogits = new Float64Array(ROWS * COLS);
    reference.bceWithLogitsBackward(logits, target, posWeight, g, dlogits, ROWS, COLS);
    expectGradient(dlogits, forward, logits, g);
  });
});
