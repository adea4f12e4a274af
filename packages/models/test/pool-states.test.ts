import { poolStates } from '@burin/models';
import { tensor } from '@burin/tensor';
import { expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';

describe('poolStates', () => {
  const states = () => tensor([1, 2, 3, 4, 50, 60, 3, 4, 0, 0, 0, 0], [2, 3, 2]);
  const mask = () => tensor(Uint8Array.of(1, 1, 0, 1, 0, 0), [2, 3]);

  it('takes real tokens only', async () => {
    const pooled = async (pooling: 'mean' | 'cls' | 'last') =>
      Array.from(await poolStates(states(), mask(), { pooling }).data());
    expect(await pooled('mean')).toEqual([2, 3, 3, 4]);
    expect(await pooled('cls')).toEqual([1, 2, 3, 4]);
    expect(await pooled('last')).toEqual([3, 4, 3, 4]);
    expect(Array.from(await poolStates(states()).data())).toEqual([18, 22, 1, Math.fround(4 / 3)]);
  });

  it('takes real tokens where padding is on the left', async () => {
    const left = tensor(Uint8Array.of(0, 1, 1, 0, 0, 1), [2, 3]);
    const pooled = async (pooling: 'mean' | 'cls' | 'last') =>
      Array.from(await poolStates(states(), left, { pooling }).data());
    expect(await pooled('cls')).toEqual([3, 4, 0, 0]);
    expect(await pooled('mean')).toEqual([26.5, 32, 0, 0]);
    expect(await pooled('last')).toEqual([50, 60, 0, 0]);
  });

  it('refuses a pooling and an option that it has not', () => {
    expect(() => poolStates(states(), mask(), { pooling: 'max' as never })).toThrow(
      new RangeError('poolStates: pooling must be mean, cls or last, got max'),
    );
    expect(() => poolStates(states(), mask(), { pool: 'cls' } as object)).toThrow(
      'poolStates: there is no option pool; expected pooling, normalize',
    );
  });

  it('gives vectors of length 1 where they are asked for', async () => {
    const vectors = poolStates(states(), mask(), { pooling: 'cls', normalize: true });
    expectClose(await vectors.data(), [1 / Math.sqrt(5), 2 / Math.sqrt(5), 0.6, 0.8], { rtol: 1e-6, atol: 0 });
    const nothing = poolStates(tensor([0, 0], [1, 1, 2]), null, { normalize: true });
    expect(Array.from(await nothing.data())).toEqual([0, 0]);
  });
});
