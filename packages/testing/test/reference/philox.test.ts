import { describe, expect, it } from 'vitest';
import { expectClose } from '../../src/index.js';
import { dropout, normal, philox4x32, streamWord, uniform } from '../../src/reference/index.js';

const hex = (words: number[]) => words.map((word) => word.toString(16).padStart(8, '0')).join(' ');

describe('philox4x32', () => {
  // kat_vectors of Random123 1.14, philox4x32 with 10 rounds
  it('gives the known answers of its authors', () => {
    expect(hex(philox4x32([0, 0, 0, 0], [0, 0]))).toBe('6627e8d5 e169c58d bc57ac4c 9b00dbd8');
    const ones = 0xffffffff;
    expect(hex(philox4x32([ones, ones, ones, ones], [ones, ones]))).toBe('408f276d 41c83b0e a20bc7c6 6d5451fd');
    const pi = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
    expect(hex(philox4x32(pi, [0xa4093822, 0x299f31d0]))).toBe('d16cfe09 94fdcceb 5001e420 24126ea1');
  });

  it('carries from the low into the high word of the offset', () => {
    const stream = { seedLow: 1, seedHigh: 2, offsetLow: 0xffffffff, offsetHigh: 5 };
    expect(streamWord(stream, 3)).toBe(philox4x32([0xffffffff, 5, 0, 0], [1, 2])[3]);
    expect(streamWord(stream, 4)).toBe(philox4x32([0, 6, 0, 0], [1, 2])[0]);
  });
});

describe('uniform, normal and dropout', () => {
  const stream = { seedLow: 42, seedHigh: 0, offsetLow: 0, offsetHigh: 0 };
  const size = 4000;
  const STANDARD_ERROR = 1 / Math.sqrt(size); // of the mean of numbers with standard deviation 1; four of them allowed
  const mean = (values: Float64Array) => values.reduce((sum, value) => sum + value, 0) / size;
  const expectMean = (values: Float64Array, expected: number, std: number) =>
    expectClose([mean(values)], [expected], { rtol: 0, atol: 4 * std * STANDARD_ERROR });

  it('have the moments of their distributions', () => {
    const y = new Float64Array(size);
    uniform(y, size, 2, 6, stream);
    expectMean(y, 4, 4 / Math.sqrt(12));
    expect(Math.min(...y)).toBeGreaterThanOrEqual(2);
    expect(Math.max(...y)).toBeLessThan(6);
    normal(y, size, 1, 2, stream);
    expectMean(y, 1, 2);
    expectMean(
      y.map((value) => (value - 1) ** 2),
      4,
      4 * Math.SQRT2,
    );
    dropout(new Float64Array(size).fill(1), y, size, 0.25, stream);
    expectMean(y, 1, Math.sqrt(1 / 3));
    expect([...new Set(y)].sort()).toEqual([0, 1 / 0.75]);
  });
});
