import {
  type CachedAttentionOptions,
  cachedAttention,
  DynamicCache,
  type KeyValueCache,
  MultiHeadAttention,
  QuantizedCache,
  SlidingCache,
  StaticCache,
} from '@burin/attention';
import { cat, Generator, MemoryError, noGrad, ones, scope, type Tensor, tensor, zeros } from '@burin/tensor';
import { devices, EXACT, expectClose, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';

const [B, K, D, Dv] = [2, 3, 4, 2];
const TOKENS = 23;

/** Each with what it is named in messages. 8 bits differ from float32 by at most 1/254 of a block's largest. */
const CACHES: [name: string, make: () => KeyValueCache][] = [
  ['DynamicCache', () => new DynamicCache({ capacity: 2 })],
  ['StaticCache', () => new StaticCache({ maxLength: TOKENS })],
  ['SlidingCache', () => new SlidingCache({ window: 5 })],
  ['QuantizedCache', () => new QuantizedCache({ blockSize: 4, residualLength: 8 })],
];

describe.each(devices)('caches on %s', (device) => {
  const random = (seed: number, shape: readonly number[]) =>
    tensor(seededRandom(seed).normal(shape.reduce((a, b) => a * b)), shape, { device });
  const keysOf = (tokens: number, seed = 1) => random(seed, [B, tokens, K, D]);
  const valuesOf = (tokens: number, seed = 2) => random(seed, [B, tokens, K, Dv]);
  const { memory } = keysOf(1).device;

  /** Adds a text piece by piece; returns what the last call showed. */
  function fill(cache: KeyValueCache, keys: Tensor, values: Tensor, pieces: readonly number[]) {
    let from = 0;
    const shown = pieces.map((tokens) => {
      from += tokens;
      return cache.update(keys.narrow(1, from - tokens, tokens), values.narrow(1, from - tokens, tokens));
    });
    return shown.at(-1)!;
  }

  /** Everything that is held equals the last tokens of x, within `error` of the largest value. */
  async function expectHeld(
    x: Tensor,
    held: Tensor,
    { count, start }: { count: number; start: number },
    error: number,
  ) {
    const expected = await x.narrow(1, start, count).data();
    const largest = Math.max(...expected.map(Math.abs));
    expectClose(await held.narrow(1, 0, count).data(), expected, { rtol: 0, atol: error * largest });
  }

  describe.each(CACHES)('%s', (name, make) => {
    const error = name === 'QuantizedCache' ? 1 / 254 + 1e-6 : 0;

    it.each([[[2, 1, 1, 3, 4, 12]], [[23]], [[1, 1, 20, 1]], [[9, 8, 6]], [Array.from({ length: TOKENS }, () => 1)]])(
      'shows what was added, the newest last: %s',
      async (pieces) => {
        const [keys, values] = [keysOf(TOKENS), valuesOf(TOKENS)];
        const cache = make();
        const shown = fill(cache, keys, values, pieces);
        expect(cache.length).toBe(TOKENS);
        expect(shown.start + shown.count).toBe(TOKENS);
        await expectHeld(keys, shown.keys, shown, error);
        await expectHeld(values, shown.values, shown, error);
        const held = cache.held();
        expect(held.start + held.count).toBe(TOKENS);
        await expectHeld(keys, held.keys, held, error);
      },
    );

    it('reorders rows, which may repeat, and goes on', async () => {
      const [keys, values] = [keysOf(TOKENS), valuesOf(TOKENS)];
      const cache = make();
      fill(cache, keys, values, [17, 2]);
      cache.reorder([1, 0, 1]);
      expect(cache.length).toBe(19);
      const moved = (x: Tensor) => [1, 0, 1].map((row) => x.narrow(0, row, 1));
      const rest = (x: Tensor) => cat(moved(x.narrow(1, 19, 4)), 0);
      const shown = cache.update(rest(keys), rest(values));
      for (const [row, expected] of moved(keys).entries()) {
        await expectHeld(expected, shown.keys.narrow(0, row, 1), shown, error);
      }
      for (const [row, expected] of moved(values).entries()) {
        await expectHeld(expected, shown.values.narrow(0, row, 1), shown, error);
      }
      expect(() => cache.reorder([3])).toThrow(`${name}.reorder: ids must be whole numbers from 0 to 2, got 3 at 0`);
    });

    it('begins again after a reset', async () => {
      const cache = make();
      fill(cache, keysOf(TOKENS), valuesOf(TOKENS), [20, 3]);
      cache.reset();
      expect(cache.length).toBe(0);
      const shown = cache.update(keysOf(3, 7), valuesOf(3, 8));
      expect([shown.start, shown.count, cache.length]).toEqual([0, 3, 3]);
      await expectHeld(keysOf(3, 7), shown.keys, shown, error);
    });

    it('outlives the scope it grew in, and gives all its memory back', () => {
      const [keys, values] = [keysOf(9), valuesOf(9)];
      const before = memory.liveBytes;
      const cache = make();
      for (let step = 0; step < 2; step++) scope(() => void cache.update(keys, values));
      scope(() => cache.reorder([1, 0]));
      // a GPU keeps four bytes an element whatever its dtype
      if (device === 'cpu') expect(memory.liveBytes).toBe(before + cache.byteLength);
      else expect(memory.liveBytes).toBeGreaterThanOrEqual(before + cache.byteLength);
      cache.dispose();
      expect(memory.liveBytes).toBe(before);
      expect(() => cache.held()).toThrow(`${name}: it is empty`);
      expect(() => cache.reorder([0])).toThrow(`${name}: it is empty`);
      scope(() => void cache.update(zeros([5, 1, 1, 4]), zeros([5, 1, 1, 4]))); // another batch
      cache.dispose();
    });

    it('refuses what does not fit', () => {
      const cache = make();
      expect(() => cache.update(zeros([2, 3]), zeros([2, 3]))).toThrow('keys must be [B, T, K, D], got [2,3]');
      expect(() => cache.update(keysOf(1), zeros([3]))).toThrow(
        'values must be as many as the keys: expected [2,1,3,Dv], got [3]',
      );
      cache.update(keysOf(1), valuesOf(1));
      expect(() => cache.update(zeros([1, 1, K, D]), zeros([1, 1, K, Dv]))).toThrow(
        `${name}.update: keys must be [2, T, 3, 4] as before, got [1,1,3,4]`,
      );
      expect(() => cache.update(keysOf(2), valuesOf(1))).toThrow(
        `${name}.update: values must be as many as the keys: expected [2,2,3,2], got [2,1,3,2]`,
      );
      expect(cache.length).toBe(1);
    });

    it('stays as it was where a mask does not fit the tokens', () => {
      const cache = make();
      fill(cache, keysOf(9), valuesOf(9), [9]);
      const mask = (tokens: number) => zeros([B, tokens], { dtype: 'uint8', device });
      const attend = (options: CachedAttentionOptions) => () =>
        cachedAttention(keysOf(1), keysOf(1), valuesOf(1), cache, { causal: true, window: 5, ...options });
      expect(attend({ keyPaddingMask: mask(1) })).toThrow(
        'cachedAttention: keyPaddingMask must have a number for each token: expected [2,10], got [2,1]',
      );
      expect(attend({ keyPaddingMask: mask(11) })).toThrow('expected [2,10], got [2,11]');
      expect(attend({ bias: zeros([1, 1, 1, 5], { device }) })).toThrow('cachedAttention: bias must be');
      expect(attend({ segments: zeros([B, 1], { dtype: 'int32', device }) })).toThrow(
        'cachedAttention: key segments must have a number for each token: expected [2,10], got [2,1]',
      );
      expect(attend({ window: 0 })).toThrow('cachedAttention: window must be');
      expect(attend({ isCausal: true } as CachedAttentionOptions)).toThrow(
        'cachedAttention: there is no option isCausal',
      );
      expect(cache.length).toBe(9);
      attend({ keyPaddingMask: mask(10) })();
      expect(cache.length).toBe(10);
    });

    it('takes no tokens, also as the first', async () => {
      const cache = make();
      const none = cachedAttention(keysOf(0), keysOf(0), valuesOf(0), cache, { causal: true });
      expect([none.shape, cache.length]).toEqual([[B, 0, K, Dv], 0]);
      const shown = cache.update(keysOf(3), valuesOf(3));
      await expectHeld(keysOf(3), shown.keys, shown, error);
    });

    it('refuses tensors that need a gradient, which it would lose', () => {
      const cache = make();
      const keys = zeros([B, 1, K, D], { device, requiresGrad: true });
      expect(() => cache.update(keys.mul(1), valuesOf(1))).toThrow(
        `${name}.update: keys and values must need no gradient, a cache would lose it; run under noGrad`,
      );
      noGrad(() => cache.update(keys.mul(1), valuesOf(1)));
      expect(cache.length).toBe(1);
    });
  });

  describe('DynamicCache', () => {
    it('doubles when it is full, in place until then', () => {
      const cache = new DynamicCache({ capacity: 2 });
      const capacities = [2, 1, 1, 3, 4].map((tokens) => {
        cache.update(keysOf(tokens), valuesOf(tokens));
        return cache.capacity;
      });
      expect(capacities).toEqual([2, 4, 4, 8, 16]);
      expect(cache.byteLength).toBe(4 * B * 16 * K * (D + Dv));
      const { keys } = cache.held();
      expect(cache.update(keysOf(5), valuesOf(5)).keys).toBe(keys);
    });

    it('truncates without giving memory back, and goes on from there', async () => {
      const cache = new DynamicCache({ capacity: 8 });
      cache.update(keysOf(5), valuesOf(5));
      const bytes = cache.byteLength;
      cache.truncate(2);
      const { keys } = cache.update(keysOf(1, 7), valuesOf(1, 8));
      expect([cache.length, cache.byteLength]).toEqual([3, bytes]);
      expectClose(await keys.narrow(1, 0, 2).data(), await keysOf(5).narrow(1, 0, 2).data(), EXACT);
      expectClose(await keys.narrow(1, 2, 1).data(), await keysOf(1, 7).data(), EXACT);
      expect(() => cache.truncate(4)).toThrow(
        'DynamicCache.truncate: length must be from 0 to the 3 tokens held, got 4',
      );
    });

    it('refuses an option of another cache', () => {
      expect(() => new DynamicCache({ maxLength: 4 } as object)).toThrow(
        'DynamicCache: there is no option maxLength; expected capacity',
      );
    });

    it('refuses a capacity of nothing', () => {
      expect(() => new DynamicCache({ capacity: 0 })).toThrow(
        'DynamicCache: capacity must be a whole number of 1 or more, got 0',
      );
    });
  });

  describe('StaticCache', () => {
    it('takes all its memory with the first tokens, and not a byte after', () => {
      const cache = new StaticCache({ maxLength: 7 });
      const first = cache.update(keysOf(1), valuesOf(1)).keys;
      expect(cache.byteLength).toBe(4 * B * 7 * K * (D + Dv));
      expect(cache.update(keysOf(6), valuesOf(6)).keys).toBe(first);
      expect(cache.byteLength).toBe(4 * B * 7 * K * (D + Dv));
      expect(() => cache.update(keysOf(1), valuesOf(1))).toThrow(
        'StaticCache.update: the cache holds at most 7 tokens, got 7 + 1',
      );
      expect(cache.length).toBe(7);
      expect(() => new StaticCache({ maxLength: 0.5 })).toThrow(
        'maxLength must be a whole number of 1 or more, got 0.5',
      );
    });
  });

  describe('SlidingCache', () => {
    it('never holds more than the window and a quarter, however long the text', () => {
      const window = 8;
      const most = 4 * B * (window - 1 + window / 4) * K * (D + Dv);
      const cache = new SlidingCache({ window });
      for (const tokens of [1, 30, ...Array.from({ length: 50 }, () => 1), 3]) {
        scope(() => void cache.update(keysOf(tokens), valuesOf(tokens)));
        expect(cache.byteLength).toBeLessThanOrEqual(most);
        expect(cache.held().count).toBeGreaterThanOrEqual(Math.min(cache.length, window - 1));
      }
      expect(cache.length).toBe(84);
      expect(() => new SlidingCache({ window: 0 })).toThrow('window must be a whole number of 1 or more, got 0');
    });

    it('has the segments of the keys that it holds', async () => {
      const [keys, values] = [keysOf(TOKENS), valuesOf(TOKENS)];
      const numbers = Int32Array.from({ length: B * TOKENS }, (_, i) => (i % TOKENS) % 2);
      const segments = tensor(numbers, [B, TOKENS], { device });
      const read = (cache: KeyValueCache) =>
        Array.from({ length: TOKENS }, (_, t) => {
          const at = (x: Tensor) => x.narrow(1, t, 1);
          return cachedAttention(at(keys), at(keys), at(values), cache, {
            ...{ causal: true, window: 4 },
            segments: { query: at(segments), key: segments.narrow(1, 0, t + 1) },
          });
        });
      const [held, all] = [cat(read(new SlidingCache({ window: 4 })), 1), cat(read(new DynamicCache()), 1)];
      expectClose(await held.data(), await all.data(), EXACT);
    });

    it('counts no tokens for which there was no memory', () => {
      const cache = new SlidingCache({ window: 64 });
      const [keys, values] = [keysOf(20), valuesOf(20)];
      fill(cache, keys, values, [20]);
      const { budget } = memory;
      memory.budget = memory.liveBytes;
      try {
        expect(() => cache.update(keys, values)).toThrow(MemoryError);
      } finally {
        memory.budget = budget;
      }
      expect(cache.length).toBe(20);
    });

    it('is refused by a layer that sees further than it holds', () => {
      const read = (window: number | null) => {
        const attention = new MultiHeadAttention({ width: 4, heads: 2, causal: true, window, rng: new Generator(0) });
        const cache = new SlidingCache({ window: 4 });
        for (let t = 0; t < 9; t++) noGrad(() => scope(() => void attention.forward(ones([1, 1, 4]), { cache })));
        cache.dispose();
      };
      read(4);
      read(3);
      expect(() => read(5)).toThrow(
        new RangeError(
          'cachedAttention: the cache must hold what the queries see: expected tokens from position 0 on, got 1 on; ' +
            'give a SlidingCache the window of its layer',
        ),
      );
      expect(() => read(null)).toThrow('the window of its layer, and this one, which has none, another cache');
    });
  });

  describe('QuantizedCache', () => {
    async function expectBlocks(x: Tensor, y: Tensor, blockSize: number, error: number) {
      const [expected, actual] = [await x.data(), await y.data()];
      for (let at = 0; at < expected.length; at += blockSize) {
        const block = Array.from(expected.slice(at, at + blockSize));
        const most = error * Math.max(...block.map(Math.abs)) * (1 + 1e-5); // float32 rounds the product
        for (const [i, value] of block.entries()) expect(Math.abs(actual[at + i]! - value)).toBeLessThanOrEqual(most);
      }
    }

    // [B, tokens] of 32 heads' numbers: packed, and what is left over as float32
    const bytesOf = (packed: number, bits: number, blockSize: number, residual: number) =>
      packed * 2 * (bits / 8 + 4 / blockSize) + residual * 2 * 4 + 256 * 4;

    it.each([
      [8, 1 / 254],
      [4, 0.152], // half of the widest gap of NF4's steps, from −1 to −0.6962
    ] as const)('keeps %i bits a number, each within %f of its block’s largest', async (bits, error) => {
      const [blockSize, residualLength, tokens] = [16, 32, 200];
      const cache = new QuantizedCache({ bits, blockSize, residualLength });
      const keys = random(5, [1, tokens, 2, 8]);
      scope(() => void cache.update(keys.narrow(1, 0, 150), keys.narrow(1, 0, 150)));
      for (let t = 150; t < tokens; t++) scope(() => void cache.update(keys.narrow(1, t, 1), keys.narrow(1, t, 1)));
      const packed = 192 * 16; // six stretches of 32 tokens of 2 heads of 8
      expect(cache.byteLength).toBe(bytesOf(packed, bits, blockSize, residualLength * 16));
      const held = cache.held();
      const channels = (x: Tensor) => x.narrow(1, 0, 192).permute([0, 2, 3, 1]); // a block is of one channel of the keys
      await expectBlocks(channels(keys), channels(held.keys), blockSize, error);
      await expectBlocks(keys.narrow(1, 0, 192), held.values.narrow(1, 0, 192), blockSize, error); // of one token
      for (const each of [held.keys, held.values]) {
        expectClose(await each.narrow(1, 192, 8).data(), await keys.narrow(1, 192, 8).data(), EXACT);
      }
    });

    it('is much smaller than float32 once texts are long', () => {
      const sizes = ([8, 4] as const).map((bits) => {
        const cache = new QuantizedCache({ bits });
        for (let i = 0; i < 8; i++)
          scope(() => void cache.update(random(i, [1, 256, 2, 16]), random(i, [1, 256, 2, 16])));
        return cache.byteLength;
      });
      const float32 = 2 * 4 * 2048 * 32;
      expect(sizes.map((size) => Number((float32 / size).toFixed(1)))).toEqual([2.9, 4.5]); // 128 tokens are float32
    });

    it('refuses options out of range', () => {
      const make = (options: object) => () => new QuantizedCache(options);
      expect(make({ nbits: 4 })).toThrow(
        'QuantizedCache: there is no option nbits; expected bits, blockSize, residualLength',
      );
      expect(make({ bits: 2 })).toThrow('QuantizedCache: bits must be 4 or 8, got 2');
      expect(make({ blockSize: 3 })).toThrow('QuantizedCache: blockSize must be an even number of 2 or more, got 3');
      expect(make({ residualLength: 100 })).toThrow(
        'residualLength must be a multiple of blockSize, so that no block crosses rows: expected a multiple of 32, got 100',
      );
    });
  });
});
