import { describe, expect, it } from 'vitest';
import { EXACT, expectClose, ulpDistance } from '../src/index.js';

describe('expectClose', () => {
  it('passes at the edge of the tolerance and fails past it', () => {
    expect(() => expectClose([1.5], [1], { rtol: 0.25, atol: 0.25 })).not.toThrow();
    expect(() => expectClose([1.51], [1], { rtol: 0.25, atol: 0.25 })).toThrow();
  });

  it('looks at every element, and names the first and the worst that differ', () => {
    expect(() => expectClose([1, 2.5, 3, 9], [1, 2, 3, 4], { rtol: 0.01, atol: 0.1 }, 'y')).toThrow(
      'y: 2 of 4 elements are not close: first [1]: got 2.5, expected 2 (off by 0.500, allowed 0.120 = 0.1 + 0.01·|expected|); ' +
        'worst [3]: got 9, expected 4 (off by 5.00, allowed 0.140 = 0.1 + 0.01·|expected|)',
    );
  });

  it('takes NaN for NaN and an infinity only for itself', () => {
    const wide = { rtol: 1, atol: 1e300 };
    expect(() => expectClose([NaN, Infinity, -Infinity], [NaN, Infinity, -Infinity], EXACT)).not.toThrow();
    for (const [actual, expected] of [
      [NaN, 1],
      [1, NaN],
      [Infinity, 1],
      [1, Infinity],
      [-Infinity, Infinity],
      [Infinity, NaN],
    ]) {
      expect(() => expectClose([actual!], [expected!], wide), `${actual} for ${expected}`).toThrow();
    }
  });

  it('refuses arrays of different lengths', () => {
    expect(() => expectClose([1], [1, 2], EXACT)).toThrow('expectClose: expected 2 elements, got 1');
  });
});

describe('ulpDistance', () => {
  it('counts the float32 numbers between two', () => {
    expect(ulpDistance(1, 1 + 2 ** -23)).toBe(1);
    expect(ulpDistance(1, 1 - 2 ** -24)).toBe(1);
    expect(ulpDistance(2 ** -149, -(2 ** -149))).toBe(2);
    expect(ulpDistance(0, -0)).toBe(0);
    expect(ulpDistance(NaN, NaN)).toBe(0);
    expect(ulpDistance(NaN, 1)).toBe(Infinity);
  });
});
