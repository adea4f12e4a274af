import { describe, expect, it } from 'vitest';
import { dot, expectClose, numericGradient } from '../src/index.js';

describe('numericGradient', () => {
  it('agrees with the derivative to eight digits', () => {
    const xs = [-2, -0.5, 0, 0.3, 4];
    const cubes = (at: Float64Array) =>
      dot(
        [1, 2, 3, 4, 5],
        at.map((x) => x ** 3),
      );
    const expected = xs.map((x, i) => 3 * (i + 1) * x * x);
    // atol: the sum is about 400, and 400 · 2⁻⁵³ / step is 8e-9
    expectClose(numericGradient(cubes, xs), expected, { rtol: 1e-8, atol: 2e-8 });
  });

  it('leaves what it was given as it was', () => {
    const xs = Float64Array.of(1, 2);
    numericGradient((at) => at[0]! * at[1]!, xs);
    expect([...xs]).toEqual([1, 2]);
  });
});

describe('dot', () => {
  it('refuses arrays of different lengths', () => {
    expect(() => dot([1], [1, 2])).toThrow('dot: lengths must be equal, got 1 and 2');
  });
});
