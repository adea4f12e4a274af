import {
  type AttendOptions,
  type AttentionSettings,
  DynamicCache,
  fromPackedProjection,
  MultiHeadAttention,
  scaledDotProductAttention,
} from '@burin/attention';
import { Linear, Module, RotaryEmbedding } from '@burin/nn';
import { cat, Generator, noGrad, ones, type Tensor, tensor, zeros } from '@burin/tensor';
import { devices, EXACT, expectClose, FLOAT32, seededRandom, type Tolerance } from '@burin/testing';
import { describe, expect, it } from 'vitest';

/** The same sums in another order, through four projections. */
const REORDERED: Tolerance = { rtol: 1e-5, atol: 2e-6 };

const [B, T, C, H, K] = [2, 12, 24, 4, 2];
const rng = () => new Generator(3);
type Settings = Partial<Omit<AttentionSettings, 'rng'>> & { rng?: Generator };

/** Doubles: shows where it was put. */
class Double extends Module {
  forward(x: Tensor): Tensor {
    return x.mul(2);
  }
}

describe.each(devices)('MultiHeadAttention on %s', (device) => {
  const random = (seed: number, shape: readonly number[], requiresGrad = false) =>
    tensor(seededRandom(seed).normal(shape.reduce((a, b) => a * b)), shape, { device, requiresGrad });
  const rotary = () => new RotaryEmbedding({ headDim: C / H });
  const build = (settings: Settings = {}) =>
    new MultiHeadAttention({ width: C, heads: H, kvHeads: K, rng: rng(), ...settings });
  const mask = (lengths: readonly number[], tokens: number) =>
    tensor(
      Uint8Array.from(lengths.flatMap((length) => Array.from({ length: tokens }, (_, j) => (j < length ? 1 : 0)))),
      [lengths.length, tokens],
      { device },
    );

  it('is its projections around attention', async () => {
    const attention = build({ causal: true });
    const x = random(1, [B, T, C]);
    const split = (projection: { forward(x: Tensor): Tensor }, heads: number) =>
      projection.forward(x).reshape([B, T, heads, C / H]);
    const { qProj, kProj, vProj, oProj } = attention;
    const heads = [split(qProj, H), split(kProj, K), split(vProj, K)] as const;
    const attended = scaledDotProductAttention(...heads, { layout: 'bthd', causal: true });
    const expected = oProj.forward(attended.reshape([B, T, C]));
    expectClose(await attention.forward(x).data(), await expected.data(), EXACT);
  });

  it('names its parameters as Hugging Face does', () => {
    const names = [...build().namedParameters()].map(([name, { shape }]) => `${name} ${shape}`);
    expect(names).toEqual([
      'q_proj.weight 24,24',
      'q_proj.bias 24',
      'k_proj.weight 12,24',
      'k_proj.bias 12',
      'v_proj.weight 12,24',
      'v_proj.bias 12',
      'o_proj.weight 24,24',
      'o_proj.bias 24',
    ]);
    const bare = new MultiHeadAttention({ width: C, heads: H, headDim: 8, bias: false, memoryWidth: 5, rng: rng() });
    expect([...bare.namedParameters()].map(([name, { shape }]) => `${name} ${shape}`)).toEqual([
      'q_proj.weight 32,24',
      'k_proj.weight 32,5',
      'v_proj.weight 32,5',
      'o_proj.weight 24,32',
    ]);
  });

  it.each<[string, Settings, readonly number[]]>([
    ['token by token', {}, Array<number>(T).fill(1)],
    ['a prompt, then the rest', {}, [7, 1, 4]],
    ['with a window', { window: 5 }, [6, 3, 1, 1, 1]],
    [
      'with partial rotary, interleaved',
      { rotary: new RotaryEmbedding({ headDim: 6, rotaryDim: 4, interleaved: true }) },
      [3, 9],
    ],
  ])('with a cache equals the whole pass: %s', async (_, settings, steps) => {
    const attention = build({ causal: true, rotary: rotary(), ...settings });
    const x = random(1, [B, T, C]);
    const whole = attention.forward(x);
    const cache = new DynamicCache({ capacity: 3 });
    let from = 0;
    const pieces = noGrad(() =>
      steps.map((tokens) => {
        from += tokens;
        return attention.forward(x.narrow(1, from - tokens, tokens), { cache });
      }),
    );
    expect(cache.length).toBe(T);
    expectClose(await cat(pieces, 1).data(), await whole.data(), REORDERED);
  });

  it('with a cache, left padding and positions equals each row alone', async () => {
    const attention = build({ causal: true, rotary: rotary() }).eval();
    const pads = [0, 5]; // the second row begins 5 tokens later
    const x = random(1, [B, T, C]);
    const keyPaddingMask = (length: number) =>
      tensor(Uint8Array.from(pads.flatMap((pad) => Array.from({ length }, (_, j) => (j < pad ? 0 : 1)))), [B, length]);
    const positions = (start: number, end: number) =>
      tensor(
        Int32Array.from(
          pads.flatMap((pad) => Array.from({ length: end - start }, (_, j) => Math.max(0, start + j - pad))),
        ),
        [B, end - start],
      );
    const cache = new DynamicCache();
    const step = (start: number, end: number) =>
      attention.forward(x.narrow(1, start, end - start), {
        cache,
        positions: positions(start, end),
        keyPaddingMask: keyPaddingMask(end),
      });
    const batched = noGrad(() => cat([step(0, 8), step(8, 9), step(9, T)], 1));
    for (const [row, pad] of pads.entries()) {
      const tokens = (all: Tensor) => all.narrow(0, row, 1).narrow(1, pad, T - pad);
      expectClose(await tokens(batched).data(), await attention.forward(tokens(x)).data(), REORDERED);
    }
  });

  it('depends on distances only where positions are rotary', async () => {
    const attention = build({ causal: true, rotary: rotary() });
    const x = random(1, [B, T, C]);
    const shifted = tensor(
      Int32Array.from({ length: B * T }, (_, i) => 100 + (i % T)),
      [B, T],
      { device },
    );
    const far = attention.forward(x, { positions: shifted, maxPosition: 100 + T });
    expectClose(await far.data(), await attention.forward(x).data(), { rtol: 1e-4, atol: 1e-5 }); // angles of 100 rad in float32
    const doubled = tensor(
      Int32Array.from({ length: B * T }, (_, i) => 2 * (i % T)),
      [B, T],
      { device },
    );
    const stretched = await attention.forward(x, { positions: doubled, maxPosition: 2 * T }).data();
    expect(stretched).not.toEqual(await attention.forward(x).data());
  });

  it.runIf(device === 'cpu')('turns to positions that skip ahead, whose largest the host sees', async () => {
    const x = random(1, [1, 3, C]);
    const positions = tensor(Int32Array.of(0, 700, 2), [1, 3]);
    const turned = (options: AttendOptions) =>
      build({ rotary: rotary() })
        .forward(x, { positions, ...options })
        .data();
    expectClose(await turned({}), await turned({ maxPosition: 700 }), EXACT);
  });

  it('gives no tokens for none, also where they would be turned', () => {
    const attention = build({ rotary: rotary(), causal: true });
    expect(attention.forward(zeros([B, 0, C], { device })).shape).toEqual([B, 0, C]);
    const cache = new DynamicCache();
    noGrad(() => attention.forward(zeros([B, 0, C], { device }), { cache }));
    expect(cache.length).toBe(0);
  });

  it('packed sequences with their own positions equal separate ones, also the gradients of weights', async () => {
    const attention = build({ causal: true, rotary: rotary() });
    const lengths = [5, 4, 3];
    const starts = [0, 5, 9];
    const [x, x2] = [random(1, [1, T, C], true), random(1, [1, T, C], true)];
    const segments = tensor(Int32Array.from(lengths.flatMap((length, i) => Array<number>(length).fill(i))), [1, T]);
    const positions = tensor(Int32Array.from(lengths.flatMap((length) => [...Array(length).keys()])), [1, T]);
    const g = random(5, [1, T, C]);
    const gradients = async () => {
      const all = await Promise.all(attention.parameters().map(({ grad }) => grad!.data()));
      attention.zeroGrad();
      return all;
    };

    const packed = attention.forward(x, { segments, positions });
    packed.backward(g);
    const packedGradients = await gradients();
    const separate = cat(
      lengths.map((length, i) => attention.forward(x2.narrow(1, starts[i]!, length))),
      1,
    );
    separate.backward(g);
    expectClose(await packed.data(), await separate.data(), REORDERED);
    expectClose(await x.grad!.data(), await x2.grad!.data(), REORDERED);
    for (const [i, gradient] of (await gradients()).entries()) {
      expectClose(packedGradients[i]!, gradient, { rtol: 1e-5, atol: 1e-5 }, attention.parameters()[i]!.shape.join());
    }
  });

  it('padded rows equal the rows alone', async () => {
    const attention = build({ rotary: rotary() });
    const lengths = [T, 7];
    const x = random(1, [B, T, C]);
    const padded = attention.forward(x, { keyPaddingMask: mask(lengths, T) });
    for (const [row, length] of lengths.entries()) {
      const tokens = (all: Tensor) => all.narrow(0, row, 1).narrow(1, 0, length);
      expectClose(await tokens(padded).data(), await attention.forward(tokens(x)).data(), REORDERED);
    }
  });

  it('attends to a memory of another width and length', async () => {
    const attention = new MultiHeadAttention({ width: C, heads: H, memoryWidth: 10, rng: rng() });
    const [x, memory] = [random(1, [B, T, C], true), random(2, [B, 5, 10], true)];
    const y = attention.forward(x, { memory, keyPaddingMask: mask([5, 3], 5) });
    expect(y.shape).toEqual([B, T, C]);
    y.sum().backward();
    const unseen = await memory.grad!.narrow(0, 1, 1).narrow(1, 3, 2).data();
    expectClose(unseen, new Float32Array(20), EXACT);
    const weights = attention.attentionWeights(x, { memory });
    expect(weights.shape).toEqual([B, H, T, 5]);
    expectClose(await weights.sum(-1).data(), new Float32Array(B * H * T).fill(1), FLOAT32);
  });

  it('norms queries and keys by head, before they are turned', async () => {
    const x = random(1, [B, T, C]);
    const doubled = build({ qNorm: new Double(), kNorm: new Double(), rotary: rotary() });
    const scaled = build({ scale: 4 / Math.sqrt(C / H), rotary: rotary() });
    expectClose(await doubled.forward(x).data(), await scaled.forward(x).data(), REORDERED);
    const seen: (readonly number[])[] = [];
    class Look extends Double {
      override forward(heads: Tensor): Tensor {
        seen.push(heads.shape);
        return heads;
      }
    }
    build({ qNorm: new Look(), kNorm: new Look() }).forward(x);
    expect(seen).toEqual([
      [B, T, H, C / H],
      [B, T, K, C / H],
    ]);
  });

  it('adds a bias, with its gradient', async () => {
    const attention = build();
    const bias = random(4, [1, H, T, T], true);
    const x = random(1, [B, T, C]);
    attention.forward(x, { bias }).sum().backward();
    const rows = await bias.grad!.sum(-1).data(); // a constant on a row changes nothing
    expectClose(rows, new Float32Array(H * T), { rtol: 0, atol: 1e-5 });
    expect((await bias.grad!.data()).some((value: number) => Math.abs(value) > 1e-4)).toBe(true);
  });

  it('drops probabilities in training alone', async () => {
    const attention = build({ dropout: 0.5, rng: new Generator(1) });
    const x = random(1, [B, T, C]);
    const still = await build().forward(x).data();
    const trained = await attention.forward(x).data();
    expect(trained).not.toEqual(still);
    expect(await attention.forward(x).data()).not.toEqual(trained); // drawn anew
    expect(await attention.eval().forward(x).data()).toEqual(await attention.forward(x).data());
  });

  it('takes values of another width than keys', () => {
    const linear = (from: number, to: number) => new Linear(from, to, { rng: rng() });
    const parts = {
      qProj: linear(C, H * 6),
      kProj: linear(C, K * 6),
      vProj: linear(C, K * 5),
      oProj: linear(H * 5, C),
    };
    const attention = new MultiHeadAttention({ ...parts, heads: H, kvHeads: K });
    expect([attention.headDim, attention.valueDim]).toEqual([6, 5]);
    expect(attention.forward(random(1, [B, T, C])).shape).toEqual([B, T, C]);
  });

  it('holds no memory once its output and gradients are freed', () => {
    const attention = build({ causal: true, rotary: rotary() });
    const x = random(1, [B, T, C], true);
    const { memory } = x.device;
    const run = () => {
      const y = attention.forward(x, { keyPaddingMask: null });
      const loss = y.sum();
      loss.backward();
      for (const used of [y, loss, x.grad!]) used.dispose();
      x.grad = null;
      attention.zeroGrad();
    };
    run(); // builds the rotary tables
    const before = memory.liveBytes;
    run();
    expect(memory.liveBytes).toBe(before);
  });
});

describe('MultiHeadAttention refuses', () => {
  const options = { width: 24, heads: 4, rng: rng() };
  const linear = (from: number, to: number) => new Linear(from, to, { rng: rng() });

  it('heads that do not divide', () => {
    expect(() => new MultiHeadAttention({ ...options, heads: 5 })).toThrow(
      'MultiHeadAttention: the width must be a multiple of the heads: 24 and 5; or give headDim',
    );
    expect(() => new MultiHeadAttention({ ...options, kvHeads: 3 })).toThrow(
      'MultiHeadAttention: heads must be a multiple of kvHeads, got 4 and 3',
    );
    expect(() => new MultiHeadAttention({ ...options, heads: 0 })).toThrow('got 0 and 0');
  });

  it.each([
    ['qProj', linear(24, 23), 'qProj must give a multiple of its 4 heads, got 23'],
    ['kProj', linear(24, 24), 'kProj must give 2 heads of 6: expected 12, got 24'],
    ['vProj', linear(24, 13), 'vProj must give a multiple of its 2 heads, got 13'],
    ['oProj', linear(12, 24), 'oProj must take 4 heads of 6: expected 24, got 12'],
  ])('a %s that does not fit', (name, wrong, message) => {
    const parts = { qProj: linear(24, 24), kProj: linear(24, 12), vProj: linear(24, 12), oProj: linear(24, 24) };
    expect(() => new MultiHeadAttention({ ...parts, heads: 4, kvHeads: 2, [name]: wrong })).toThrow(message);
  });

  it('options that are none, which would be passed over', () => {
    expect(() => new MultiHeadAttention({ ...options, isCausal: true } as typeof options)).toThrow(
      'MultiHeadAttention: there is no option isCausal; expected width, headDim,',
    );
    const attention = new MultiHeadAttention(options);
    const attentionMask = ones([1, 3], { dtype: 'uint8' });
    expect(() => attention.forward(zeros([1, 3, 24]), { attentionMask } as AttendOptions)).toThrow(
      'MultiHeadAttention.forward: there is no option attentionMask; expected memory, cache,',
    );
  });

  it('a window or a scale that cannot be, before it is used', () => {
    expect(() => new MultiHeadAttention({ ...options, window: 0 })).toThrow(
      'MultiHeadAttention: window must be a whole number of 1 or more, got 0',
    );
    expect(() => new MultiHeadAttention({ ...options, scale: NaN })).toThrow(
      'MultiHeadAttention: scale must be a finite number, got NaN',
    );
  });

  it('a dropout out of range or without a generator', () => {
    expect(() => new MultiHeadAttention({ ...options, dropout: 1 })).toThrow('dropout must be in [0, 1), got 1');
    const parts = { qProj: linear(4, 4), kProj: linear(4, 4), vProj: linear(4, 4), oProj: linear(4, 4) };
    expect(() => new MultiHeadAttention({ ...parts, heads: 2, dropout: 0.1 })).toThrow(
      'MultiHeadAttention: dropout 0.1 needs a random generator; pass rng: new Generator(seed)',
    );
  });

  it('an input of two axes, and a mask of another length', () => {
    const attention = new MultiHeadAttention(options);
    expect(() => attention.forward([[1]] as unknown as Tensor)).toThrow(
      'MultiHeadAttention: x: a tensor is expected, got an array; make a tensor of it',
    );
    expect(() => attention.forward(zeros([3, 24]))).toThrow('MultiHeadAttention: x must be [B, T, C], got [3,24]');
    expect(() => attention.forward(zeros([1, 3, 24]), { memory: zeros([3, 24]) })).toThrow('memory must be [B, T, C]');
    const keyPaddingMask = ones([1, 4], { dtype: 'uint8' });
    expect(() => attention.forward(zeros([1, 3, 24]), { keyPaddingMask })).toThrow('expected [1,3], got [1,4]');
  });

  it('a cache that would lose gradients, or beside a memory; a rotary embedding beside a memory', () => {
    const x = zeros([1, 3, 24]);
    const attention = new MultiHeadAttention(options);
    const tryWith = (more: AttendOptions) => () => attention.forward(x, more);
    expect(tryWith({ cache: new DynamicCache() })).toThrow('run under noGrad');
    expect(tryWith({ cache: new DynamicCache(), memory: x })).toThrow('cross attention takes no cache');
    const turned = new MultiHeadAttention({ ...options, rotary: new RotaryEmbedding({ headDim: 6 }) });
    expect(() => turned.forward(x, { memory: x })).toThrow('cross attention takes no rotary embedding');
  });
});

describe('fromPackedProjection', () => {
  it('splits rows into thirds, or by widths', async () => {
    const [weight, bias] = [tensor([1, 2, 3, 4, 5, 6], [3, 2]), tensor([7, 8, 9])];
    const { qProj, kProj, vProj } = fromPackedProjection(weight, bias);
    expect(await Promise.all([qProj, kProj, vProj].map(async (p) => [...(await p.weight.data())]))).toEqual([
      [1, 2],
      [3, 4],
      [5, 6],
    ]);
    expect(await vProj.bias!.data()).toEqual(Float32Array.of(9));
    const grouped = fromPackedProjection(zeros([8, 2]), null, { widths: [4, 2, 2] });
    expect([grouped.qProj.weight.shape, grouped.kProj.bias]).toEqual([[4, 2], null]);
  });

  it('refuses rows that do not split so', () => {
    expect(() => fromPackedProjection(zeros([4, 2]))).toThrow(
      'fromPackedProjection: the weight must be [3 · width, in], got [4,2]',
    );
    expect(() => fromPackedProjection(zeros([7, 2]), null, { widths: [4, 2, 2] })).toThrow(
      'must be [8, in], got [7,2]',
    );
    expect(() => fromPackedProjection(zeros([3, 2]), zeros([2]))).toThrow(
      "fromPackedProjection: the bias must have the weight's rows: expected [3], got [2]",
    );
  });
});
