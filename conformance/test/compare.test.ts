import { describe, expect, it } from 'vitest';
import { Comparison } from '../src/compare.js';
import type { Actual } from '../src/outcome.js';

const tensor = (...data: number[]) => ({ shape: [data.length], data: Float64Array.from(data) });

/** What goes wrong between two lists of numbers. */
function failures(actual: number[], expected: number[], tolerance: object, more: Partial<Actual> = {}): string[] {
  const comparison = new Comparison();
  comparison.tensor('t', { ...tensor(...actual), ...more }, tensor(...expected), tolerance);
  return comparison.failures;
}

describe('numbers', () => {
  it('may differ by atol + rtol · |expected|, and no more', () => {
    const tolerance = { atol: 0.5, rtol: 0.25 };
    expect(failures([9.5, -9.5, 0.5], [8, -8, 0], tolerance)).toEqual([]); // by up to 2.5, 2.5 and 0.5
    expect(failures([10.625, 0], [8, 0], tolerance)).toEqual([
      't: 1 of 2 differ by more than 0.5 + 0.25·|expected|: [0]: expected 8, got 10.625',
    ]);
  });

  it('must be equal where the manifest says exact', () => {
    expect(failures([3, 0], [3, -0], { exact: true })).toEqual([]);
    expect(failures([3.0000001], [3], { exact: true })).toHaveLength(1);
    expect(failures([1], [2], { exact: 'after some mapping' })).toHaveLength(1);
  });

  it('infinities are equal to themselves only, whatever the tolerance', () => {
    expect(failures([Infinity, -Infinity], [Infinity, -Infinity], { atol: 0 })).toEqual([]);
    for (const [actual, expected] of [
      [Infinity, -Infinity],
      [1e30, Infinity],
      [Infinity, 1],
    ] as const) {
      expect(failures([actual], [expected], { atol: 1e9, rtol: 1 })).toHaveLength(1);
    }
  });

  it('NaN is equal to itself only', () => {
    expect(failures([NaN], [NaN], { atol: 1 })).toEqual([]);
    expect(failures([NaN], [1], { atol: 1e9 })).toHaveLength(1);
    expect(failures([1], [NaN], { atol: 1e9 })).toHaveLength(1);
  });

  it('the largest errors are kept; relative ones where the expected number is above atol', () => {
    const comparison = new Comparison();
    comparison.tensor('t', tensor(1.5, 0.0625), tensor(1, 0.03125), { atol: 0.5, rtol: 0 });
    expect(comparison).toMatchObject({ maxAbsError: 0.5, maxRelError: 0.5, failures: [] });
  });
});

describe('tensors', () => {
  it('are compared only where the mask is not 0', () => {
    const mask = { shape: [2], data: Int32Array.of(1, 0) };
    expect(failures([1, 2, 9, 9], [1, 2, 3, 4], { exact: true }, { mask })).toEqual([]);
    expect(failures([1, 9, 3, 4], [1, 2, 3, 4], { exact: true }, { mask })).toHaveLength(1);
  });

  it('a mask that leaves nothing is a failure', () => {
    const mask = { shape: [2], data: Int32Array.of(0, 0) };
    expect(failures([1, 2], [1, 2], { exact: true }, { mask })).toEqual(['t: the mask leaves nothing to compare']);
  });

  it('may be mapped first, both of them', () => {
    const canonical = (code: number) => (code === 8 ? 0 : code);
    expect(failures([8, 0, 1], [0, 8, 1], { exact: true }, { canonical })).toEqual([]);
    expect(failures([8], [1], { exact: true }, { canonical })).toHaveLength(1);
  });

  it('must have the shape that is expected', () => {
    expect(failures([1, 2], [1], { atol: 9 })).toEqual(['t: expected [1], got [2]']);
  });
});

describe('values', () => {
  const compare = (actual: unknown, expected: unknown, tolerance: object = { atol: 0.1 }) => {
    const comparison = new Comparison();
    comparison.value('v', actual, expected, tolerance);
    return comparison.failures;
  };

  it('may be nested', () => {
    const expected = { list: [1, [2, null]], text: 'a', yes: true };
    expect(compare({ list: [1.05, [2, null]], text: 'a', yes: true, more: 1 }, expected)).toEqual([]);
    expect(compare({ list: [1, [2.5, null]], text: 'b', yes: false }, expected)).toEqual([
      'v.list.1.0: expected 2 within 0.1 + 0·|expected|, got 2.5',
      'v.text: expected "a", got "b"',
      'v.yes: expected true, got false',
    ]);
  });

  it('lists must be as long as expected', () => {
    expect(compare([1, 2], [1])).toEqual(['v: expected a list of 1, got [1,2]']);
    expect(compare(undefined, [1])).toEqual(['v: expected a list of 1, got undefined']);
    expect(compare(undefined, [])).toEqual(['v: expected a list of 0, got undefined']);
  });

  it('an empty table must be there too', () => {
    expect(compare({}, {})).toEqual([]);
    expect(compare(undefined, {})).toEqual(['v: nothing here computes it']);
  });

  it('a number is no text', () => {
    expect(compare('1', 1)).toEqual(['v: expected 1, got "1"']);
  });
});
