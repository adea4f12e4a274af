import {
  DynamicCache,
  type KeyValueCache,
  LatentAttention,
  type LatentProjections,
  type LatentSettings,
  QuantizedCache,
  SlidingCache,
} from '@burin/attention';
import { Linear, Module, Parameter, RotaryEmbedding } from '@burin/nn';
import { cpu, Generator, noGrad, ones, randn, scope, type Tensor, tensor } from '@burin/tensor';
import { checkGradient, expectClose, type Tolerance } from '@burin/testing';
import { describe, expect, it } from 'vitest';

/** The same sums in another order, through five products. */
const REORDERED: Tolerance = { rtol: 2e-5, atol: 5e-6 };

/** RMSNorm, of operations that each have their own tests. */
class RmsNorm extends Module {
  readonly weight: Parameter;

  constructor(width: number) {
    super();
    this.weight = new Parameter(ones([width]));
  }

  forward(x: Tensor): Tensor {
    return x.mul(x.square().mean(-1, true).add(1e-6).rsqrt()).mul(this.weight);
  }
}

const [B, T, C, H, N, P, V, R] = [2, 9, 11, 3, 5, 4, 7, 6];

function parts(through: number | null = null): LatentProjections {
  const rng = new Generator(3);
  const linear = (from: number, to: number) => new Linear(from, to, { bias: false, rng });
  return {
    ...(through === null
      ? { qProj: linear(C, H * (N + P)) }
      : { qAProj: linear(C, through), qALayernorm: new RmsNorm(through), qBProj: linear(through, H * (N + P)) }),
    kvAProjWithMqa: linear(C, R + P),
    kvALayernorm: new RmsNorm(R),
    kvBProj: linear(R, H * (N + V)),
    oProj: linear(H * V, C),
  };
}

const rotary = () => new RotaryEmbedding({ headDim: P, interleaved: true });
const make = (settings: Partial<LatentSettings> = {}, through: number | null = null) =>
  new LatentAttention({ heads: H, nopeDim: N, valueDim: V, rotary: rotary(), ...settings, ...parts(through) });
const places = (start: number, tokens: number, batch = B) => ({
  positions: tensor(
    Int32Array.from({ length: batch * tokens }, (_, i) => start + (i % tokens)),
    [batch, tokens],
  ),
  maxPosition: start + tokens - 1,
});
const input = () => randn([B, T, C], { rng: new Generator(8) });

/** One row, written out in float64: x is [T, C]. */
function reference(x: Float64Array, weights: Record<string, Float64Array>, scale: number): number[] {
  const tokens = x.length / C;
  const product = (row: ArrayLike<number>, weight: Float64Array, out: number) =>
    Array.from({ length: out }, (_, o) =>
      Array.from(row).reduce((sum, value, i) => sum + value * weight[o * row.length + i]!, 0),
    );
  const norm = (row: number[], weight: Float64Array) => {
    const r = 1 / Math.sqrt(row.reduce((sum, value) => sum + value * value, 0) / row.length + 1e-6);
    return row.map((value, i) => value * r * weight[i]!);
  };
  const turn = (pairs: number[], t: number) =>
    pairs.map((value, i) => {
      const angle = t * 10000 ** ((-2 * Math.floor(i / 2)) / P);
      const other = i % 2 === 0 ? -pairs[i + 1]! : pairs[i - 1]!;
      return value * Math.cos(angle) + other * Math.sin(angle);
    });
  const rows = Array.from({ length: tokens }, (_, t) => {
    const row = x.subarray(t * C, (t + 1) * C);
    const down = product(row, weights.down!, R + P);
    const made = product(norm(down.slice(0, R), weights.norm!), weights.up!, H * (N + V));
    const queries = product(row, weights.q!, H * (N + P));
    const turned = turn(down.slice(R), t);
    return Array.from({ length: H }, (_, h) => {
      const q = queries.slice(h * (N + P), (h + 1) * (N + P));
      const own = made.slice(h * (N + V), (h + 1) * (N + V));
      return { q: [...q.slice(0, N), ...turn(q.slice(N), t)], k: [...own.slice(0, N), ...turned], v: own.slice(N) };
    });
  });
  return rows.flatMap((_, t) => {
    const heads = Array.from({ length: H }, (_, h) => {
      const scores = rows.slice(0, t + 1).map((other) => {
        const dot = rows[t]![h]!.q.reduce((sum, value, i) => sum + value * other[h]!.k[i]!, 0);
        return Math.exp(dot * scale);
      });
      const total = scores.reduce((sum, value) => sum + value, 0);
      return Array.from({ length: V }, (_, d) =>
        scores.reduce((sum, score, s) => sum + (score / total) * rows[s]![h]!.v[d]!, 0),
      );
    });
    return product(heads.flat(), weights.o!, C);
  });
}

describe('LatentAttention', () => {
  it('has the result and the gradients of the formula', async () => {
    const scale = 0.4;
    const linear = (weight: Tensor) => Linear.from(weight as Linear['weight']);
    await checkGradient({
      shapes: [[1, 4, C], [H * (N + P), C], [R + P, C], [R], [H * (N + V), R], [C, H * V]],
      range: [-0.8, 0.8],
      run: ([x, q, down, weight, up, o]) => {
        const kvALayernorm = Object.assign(new RmsNorm(R), { weight });
        const projections = { qProj: linear(q!), kvAProjWithMqa: linear(down!), kvALayernorm, kvBProj: linear(up!) };
        const sizes = { heads: H, nopeDim: N, valueDim: V, rotary: rotary(), scale };
        return new LatentAttention({ ...sizes, ...projections, oProj: linear(o!) }).forward(x!, places(0, 4, 1));
      },
      reference: ([x, q, down, norm, up, o]) =>
        reference(x!, { q: q!, down: down!, norm: norm!, up: up!, o: o! }, scale),
    });
  });

  it('names its parameters as DeepSeek does', () => {
    const names = [...make({}, 8).namedParameters()].map(([name, { shape }]) => `${name} ${shape}`);
    expect(names).toEqual([
      'q_a_proj.weight 8,11',
      'q_a_layernorm.weight 8',
      'q_b_proj.weight 27,8',
      'kv_a_proj_with_mqa.weight 10,11',
      'kv_a_layernorm.weight 6',
      'kv_b_proj.weight 36,6',
      'o_proj.weight 11,21',
    ]);
    expect([...make().namedParameters()][0]![0]).toBe('q_proj.weight');
  });

  it.each([
    ['token by token', Array<number>(T).fill(1)],
    ['a prompt, then the rest', [5, 1, 3]],
  ])('is the same with a cache: %s', async (_name, steps) => {
    const attention = make({}, 8);
    const x = input();
    const whole = noGrad(() => attention.forward(x, places(0, T)));
    const cache = new DynamicCache();
    const mask = tensor(
      Uint8Array.from({ length: B * T }, (_, i) => (i < 2 ? 0 : 1)),
      [B, T],
    ); // the first row's first two
    const masked = noGrad(() => attention.forward(x, { ...places(0, T), keyPaddingMask: mask }));
    const maskedCache = new DynamicCache();
    let start = 0;
    for (const tokens of steps) {
      const piece = x.narrow(1, start, tokens);
      const given = { ...places(start, tokens), cache };
      const y = noGrad(() => attention.forward(piece, given));
      expectClose(await y.data(), await whole.narrow(1, start, tokens).data(), REORDERED);
      const keyPaddingMask = mask.narrow(1, 0, start + tokens);
      const z = noGrad(() => attention.forward(piece, { ...given, cache: maskedCache, keyPaddingMask }));
      expectClose(await z.data(), await masked.narrow(1, start, tokens).data(), REORDERED);
      start += tokens;
    }
    expect(cache.length).toBe(T);
    cache.dispose();
    maskedCache.dispose();
  });

  it('holds R + P numbers a token', () => {
    const cache = new DynamicCache({ capacity: T });
    noGrad(() => scope(() => void make().forward(input(), { ...places(0, T), cache })));
    expect(cache.byteLength).toBe(4 * B * T * (R + P));
    cache.dispose();
  });

  it('works with other caches, and at the sizes of DeepSeek-V2-Lite', async () => {
    const rng = new Generator(1);
    const linear = (from: number, to: number) => new Linear(from, to, { bias: false, rng });
    const attention = new LatentAttention({
      ...{ heads: 4, nopeDim: 128, valueDim: 128, rotary: new RotaryEmbedding({ headDim: 64, interleaved: true }) },
      ...{ qProj: linear(32, 4 * 192), kvAProjWithMqa: linear(32, 576), kvALayernorm: new RmsNorm(512) },
      ...{ kvBProj: linear(512, 4 * 256), oProj: linear(512, 32) },
    });
    const x = randn([1, 6, 32], { rng });
    const whole = await noGrad(() => attention.forward(x, places(0, 6, 1))).data();
    for (const [cache, tolerance] of [
      [new DynamicCache(), REORDERED],
      [new QuantizedCache(), { rtol: 0, atol: 0.05 }], // of 8 bits
    ] as const) {
      noGrad(() => attention.forward(x.narrow(1, 0, 5), { ...places(0, 5, 1), cache }));
      const last = noGrad(() => attention.forward(x.narrow(1, 5, 1), { ...places(5, 1, 1), cache }));
      expectClose(await last.data(), whole.slice(5 * 32), tolerance);
      cache.dispose();
    }
  });

  it('refuses a cache that lets go of tokens, and packed texts after those of a cache', () => {
    const attention = make();
    const read = (cache: KeyValueCache, options: object = {}) => {
      const x = ones([B, 1, C]);
      noGrad(() => attention.forward(x, { ...places(cache.length, 1), cache, ...options }));
    };
    const sliding = new SlidingCache({ window: 2 });
    expect(() => [1, 2, 3, 4].forEach(() => void read(sliding))).toThrow(
      'LatentAttention: the cache must hold what the queries see: expected tokens from position 0 on, got',
    );
    const cache = new DynamicCache();
    const segments = tensor(new Int32Array(B), [B, 1]);
    read(cache, { segments });
    expect(() => read(cache, { segments })).toThrow(
      'LatentAttention: packed texts take no cache that holds tokens, whose segments it does not know',
    );
    const keyPaddingMask = ones([B, 1], { dtype: 'uint8' }); // of the new token alone
    expect(() => read(cache, { keyPaddingMask })).toThrow(
      `LatentAttention: keyPaddingMask must have a number for each token: expected [${B},2], got [${B},1]`,
    );
    expect(cache.length).toBe(1);
    for (const each of [sliding, cache]) each.dispose();
  });

  it('sees its own segment only', async () => {
    const attention = make();
    const x = input();
    const segments = tensor(
      Int32Array.from({ length: B * T }, (_, i) => (i % T < 4 ? 0 : 1)),
      [B, T],
    );
    const packed = attention.forward(x, { ...places(0, T), segments });
    const alone = attention.forward(x.narrow(1, 4, 5), places(4, 5));
    expectClose(await packed.narrow(1, 4, 5).data(), await alone.data(), REORDERED);
  });

  it('drops in training alone', async () => {
    const attention = make({ dropout: 0.5, rng: new Generator(5) });
    const run = () => attention.forward(input(), places(0, T)).data();
    expect(await run()).not.toEqual(await run());
    attention.eval();
    expect(await run()).toEqual(await run());
  });

  it('leaves nothing behind', () => {
    const attention = make().requiresGrad_(false);
    const x = input();
    const given = places(0, T);
    scope(() => void attention.forward(x, given)); // builds the rotary tables, which stay
    const before = cpu().memory.liveBuffers;
    scope(() => void attention.forward(x, given));
    expect(cpu().memory.liveBuffers).toBe(before);
  });

  it('refuses projections that do not fit', () => {
    const rng = new Generator(3);
    const sizes = { heads: H, nopeDim: N, valueDim: V, rotary: rotary() };
    const linear = (from: number, to: number) => new Linear(from, to, { bias: false, rng });
    const change = (changed: Partial<LatentProjections>) => () =>
      new LatentAttention({ ...sizes, ...parts(), ...changed });
    expect(change({ qProj: null })).toThrow(
      'LatentAttention: queries need qProj alone, or qAProj, qALayernorm and qBProj, got 0 of the three',
    );
    expect(change({ qAProj: linear(C, 2) })).toThrow('got qProj and 1 of the three');
    expect(change({ qProj: linear(C, 5) })).toThrow('queries must be 3 heads of 9: expected 27, got 5');
    expect(change({ kvAProjWithMqa: linear(C, 5) })).toThrow('what kvBProj takes and 4 more: expected 10, got 5');
    expect(change({ kvBProj: linear(R, 5) })).toThrow('kvBProj must give keys and values: expected 36, got 5');
    const biased = new Linear(R, H * (N + V), { rng });
    expect(change({ kvBProj: biased })).toThrow('kvBProj must have no bias, which could not change sides, got one');
    expect(change({ oProj: linear(5, C) })).toThrow('oProj must take 3 heads of 7: expected 21, got 5');
  });
});
