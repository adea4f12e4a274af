import { KeyValueCache } from '@burin/attention';
import { noGrad, scope, type Tensor, tensor, zeros } from '@burin/tensor';
import { devices, EXACT, expectClose, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';

const [B, K, D, Dv] = [2, 3, 4, 2];

describe.each(devices)('KeyValueCache on %s', (device) => {
  const random = (seed: number, shape: readonly number[]) =>
    tensor(seededRandom(seed).normal(shape.reduce((a, b) => a * b)), shape, { device });
  const keysOf = (tokens: number, seed = 1) => random(seed, [B, tokens, K, D]);
  const valuesOf = (tokens: number, seed = 2) => random(seed, [B, tokens, K, Dv]);
  const held = (x: Tensor, length: number) => x.narrow(1, 0, length).data();

  it('holds what was appended, in order, across growth', async () => {
    const [keys, values] = [keysOf(11), valuesOf(11)];
    const cache = new KeyValueCache({ capacity: 2 });
    let from = 0;
    const capacities = [2, 1, 1, 3, 4].map((tokens) => {
      cache.append(keys.narrow(1, from, tokens), values.narrow(1, from, tokens));
      from += tokens;
      return cache.capacity;
    });
    expect(capacities).toEqual([2, 4, 4, 8, 16]); // doubled when full
    expect(cache.length).toBe(11);
    expectClose(await held(cache.keys, 11), await keys.data(), EXACT);
    expectClose(await held(cache.values, 11), await values.data(), EXACT);
    expect(cache.byteLength).toBe(4 * B * 16 * K * (D + Dv));
  });

  it('makes room for its first capacity at once, and never for more than its maximum', () => {
    const cache = new KeyValueCache({ capacity: 4, maxLength: 7 });
    cache.append(keysOf(1), valuesOf(1));
    expect(cache.capacity).toBe(4);
    cache.append(keysOf(4), valuesOf(4));
    expect(cache.capacity).toBe(7);
    expect(() => cache.append(keysOf(3), valuesOf(3))).toThrow(
      'KeyValueCache.append: the cache holds at most 7 tokens, got 5 + 3',
    );
    expect(cache.length).toBe(5);
  });

  it('appends in place: the memory stays where it is', () => {
    const cache = new KeyValueCache({ capacity: 8 });
    cache.append(keysOf(3), valuesOf(3));
    const { keys } = cache;
    cache.append(keysOf(5), valuesOf(5));
    expect(cache.keys).toBe(keys);
  });

  it('truncates and resets without giving memory back, and goes on from there', async () => {
    const cache = new KeyValueCache({ capacity: 8 });
    cache.append(keysOf(5), valuesOf(5));
    const bytes = cache.byteLength;
    cache.truncate(2);
    cache.append(keysOf(1, 7), valuesOf(1, 8));
    expect(cache.length).toBe(3);
    expectClose(await held(cache.keys, 2), await keysOf(5).narrow(1, 0, 2).data(), EXACT);
    expectClose(await cache.keys.narrow(1, 2, 1).data(), await keysOf(1, 7).data(), EXACT);
    cache.reset();
    expect([cache.length, cache.byteLength]).toEqual([0, bytes]);
    expect(() => cache.truncate(1)).toThrow(
      'KeyValueCache.truncate: length must be from 0 to the 0 tokens held, got 1',
    );
  });

  it('reorders rows, which may repeat', async () => {
    const cache = new KeyValueCache({ capacity: 4 });
    cache.append(keysOf(2), valuesOf(2));
    const [row0, row1] = [0, 1].map((row) => keysOf(2).narrow(0, row, 1)) as [Tensor, Tensor];
    cache.reorder([1, 0, 1]);
    expect(cache.length).toBe(2);
    expect(cache.values.shape).toEqual([3, 4, K, Dv]);
    for (const [row, expected] of [row1, row0, row1].entries()) {
      expectClose(await held(cache.keys.narrow(0, row, 1), 2), await expected.data(), EXACT);
    }
    expect(() => cache.reorder([3])).toThrow(
      'KeyValueCache.reorder: ids must be whole numbers from 0 to 2, got 3 at 0',
    );
  });

  it('outlives the scope it grew in, and gives all its memory back', () => {
    const { memory } = keysOf(1).device;
    const [keys, values] = [keysOf(3), valuesOf(3)];
    const before = memory.liveBytes;
    const cache = new KeyValueCache({ capacity: 2 });
    for (let step = 0; step < 4; step++) scope(() => cache.append(keys, values));
    scope(() => cache.reorder([1, 0]));
    expect(memory.liveBytes).toBe(before + cache.byteLength);
    cache.dispose();
    expect(memory.liveBytes).toBe(before);
    expect(() => cache.keys).toThrow('KeyValueCache: it is empty');
    cache.append(zeros([5, 1, 1, 1]), zeros([5, 1, 1, 1])); // another batch
    cache.dispose();
  });

  it('refuses what does not fit', () => {
    const cache = new KeyValueCache();
    expect(() => cache.append(zeros([2, 3]), zeros([2, 3]))).toThrow('keys must be [B, T, K, D], got [2,3]');
    expect(() => cache.append(keysOf(1), zeros([3]))).toThrow(
      'values must be as many as the keys: expected [2,1,3,Dv], got [3]',
    );
    cache.append(keysOf(1), valuesOf(1));
    expect(() => cache.append(zeros([1, 1, K, D]), zeros([1, 1, K, Dv]))).toThrow(
      'KeyValueCache.append: keys must be [2, T, 3, 4] as before, got [1,1,3,4]',
    );
    expect(() => cache.append(keysOf(2), valuesOf(1))).toThrow(
      'KeyValueCache.append: values must be as many as the keys: expected [2,2,3,2], got [2,1,3,2]',
    );
    expect(() => cache.append(keysOf(1), zeros([B, 1, K, 5]))).toThrow('expected [2,1,3,2], got [2,1,3,5]');
    expect(() => new KeyValueCache({ capacity: 0 })).toThrow(
      'KeyValueCache: lengths must be 1 or more, got capacity 0',
    );
  });

  it('refuses tensors that need a gradient, which it would lose', () => {
    const cache = new KeyValueCache();
    const keys = zeros([B, 1, K, D], { device, requiresGrad: true });
    expect(() => cache.append(keys.mul(1), valuesOf(1))).toThrow(
      'KeyValueCache.append: keys and values must need no gradient, a cache would lose it; run under noGrad',
    );
    noGrad(() => cache.append(keys.mul(1), valuesOf(1)));
    expect(cache.length).toBe(1);
  });
});
