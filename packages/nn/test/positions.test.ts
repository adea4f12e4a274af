import {
  RotaryEmbedding,
  type RotaryOptions,
  type RotaryScaling,
  rotaryFrequencies,
  sinusoidalPositions,
} from '@burin/nn';
import { tensor, zeros } from '@burin/tensor';
import {
  devices,
  dot,
  EXACT,
  expectClose,
  expectFixture,
  type Fixture,
  FLOAT32,
  fixtureCases,
  fixtureTensor,
  GRADIENT,
  numericGradient,
  readFixture,
  seededRandom,
} from '@burin/testing';
import * as reference from '@burin/testing/reference';
import { describe, expect, it } from 'vitest';

/** Float64 formulas written twice: a few roundings. */
const FLOAT64 = { rtol: 1e-14, atol: 0 };

function optionsOf({ manifest }: Fixture): RotaryOptions & { interleaved: boolean } {
  const config = manifest.config as {
    style: string;
    head_dim: number;
    rotary_dim?: number;
    rope_theta: number;
    rope_scaling?: Record<string, number> | null;
  };
  const scaling = config.rope_scaling;
  return {
    headDim: config.head_dim,
    rotaryDim: config.rotary_dim ?? config.head_dim,
    theta: config.rope_theta,
    interleaved: config.style === 'interleaved',
    scaling: scaling
      ? {
          type: 'llama3',
          factor: scaling.factor!,
          lowFreqFactor: scaling.low_freq_factor!,
          highFreqFactor: scaling.high_freq_factor!,
          originalMaxPositionEmbeddings: scaling.original_max_position_embeddings!,
        }
      : null,
  };
}

describe.each(devices)('RotaryEmbedding on %s agrees with transformers', (device) => {
  it.each(fixtureCases('rope').filter((name) => name !== 'sinusoidal'))('%s', async (name) => {
    const fixture = readFixture('rope', name);
    const rotary = new RotaryEmbedding(optionsOf(fixture));
    const positions = fixtureTensor(fixture, 'position_ids', { device });
    const maxPosition = Math.max(...fixture.ints('position_ids'));
    const layout = String(fixture.manifest.config.layout).startsWith('[batch, seq') ? 'bthd' : 'bhtd';
    for (const key of ['q', 'k']) {
      const x = fixtureTensor(fixture, key, { device, requiresGrad: true });
      const turned = rotary.apply(x, positions, { layout, maxPosition });
      turned.backward(fixtureTensor(fixture, `d_${key}_out`, { device }));
      await expectFixture(fixture, `${key}_out`, turned);
      await expectFixture(fixture, `grad.${key}`, x.grad);
    }
    if (fixture.has('inv_freq')) {
      expectClose(rotary.frequencies, fixture.floats('inv_freq'), fixture.tolerance('inv_freq'));
    }
    if (!fixture.has('cos')) return;
    const tables = rotary.tables(maxPosition + 1);
    for (const key of ['cos', 'sin'] as const) {
      const table = await tables[key].data();
      const half = rotary.rotaryDim / 2;
      const rows = [...fixture.ints('position_ids')].map((p) => [...table.subarray(p * half, (p + 1) * half)]);
      expectClose(
        rows.flatMap((row) => [...row, ...row]),
        fixture.floats(key),
        fixture.tolerance(key),
        key,
      );
    }
  });
});

describe.each(devices)('RotaryEmbedding on %s', (device) => {
  const random = seededRandom(2);

  it.each([
    [false, 'bthd', 8],
    [true, 'bthd', 8],
    [false, 'bhtd', 6],
    [true, 'bhtd', 6],
  ] as const)(
    'has the value and gradient of the reference: interleaved %s, %s, %d of 8 turn',
    async (interleaved, layout, rotaryDim) => {
      const [B, T, H, D] = [2, 3, 5, 8];
      const shape = layout === 'bthd' ? [B, T, H, D] : [B, H, T, D];
      const strides =
        layout === 'bthd' ? { batch: T * H * D, token: H * D, head: D } : { batch: T * H * D, head: T * D, token: D };
      const positions = Int32Array.of(0, 4, 2, 7, 7, 1);
      const rotary = new RotaryEmbedding({ headDim: D, rotaryDim, interleaved, theta: 10 });
      const angles = Array.from({ length: 8 }, (_, p) => [...rotary.frequencies].map((f) => p * f)).flat();
      const run = (xs: ArrayLike<number>) => {
        const y = new Float64Array(B * T * H * D);
        reference.rope({
          ...{ x: Float64Array.from(xs), y, positions, strides, interleaved, rotaryDim, inverse: false },
          ...{ cos: Float64Array.from(angles, Math.cos), sin: Float64Array.from(angles, Math.sin) },
          ...{ batch: B, heads: H, tokens: T, headDim: D, tableRows: 8 },
        });
        return y;
      };
      const [xs, seed] = [random.normal(B * T * H * D), random.normal(B * T * H * D)];
      const x = tensor(xs, shape, { device, requiresGrad: true });
      const y = rotary.apply(x, tensor(positions, [B, T], { device }), { layout, maxPosition: 7 });
      y.backward(tensor(seed, shape, { device }));
      expectClose(await y.data(), run(xs), FLOAT32);
      expectClose(
        await x.grad!.data(),
        numericGradient((at) => dot(seed, run(at)), xs),
        GRADIENT,
      );
    },
  );

  it('makes products that depend on distances only', async () => {
    const rotary = new RotaryEmbedding({ headDim: 8 });
    const [q, k] = [random.normal(8), random.normal(8)];
    const turn = (values: Float32Array, position: number) =>
      rotary
        .apply(tensor(values, [1, 1, 1, 8], { device }), tensor(Int32Array.of(position), [1, 1], { device }), {
          maxPosition: position,
        })
        .data();
    const product = async (a: number, b: number) => dot(await turn(q, a), await turn(k, b));
    expectClose([await product(105, 101)], [await product(9, 5)], { rtol: 1e-4, atol: 1e-5 }); // angles of 100 in float32
    expect(Math.abs((await product(9, 5)) - (await product(9, 6)))).toBeGreaterThan(1e-3);
  });

  it('gives the same before and after its tables have grown, also to a backward pass under way', async () => {
    const rotary = new RotaryEmbedding({ headDim: 4 });
    const x = tensor([1, 2, 3, 4], [1, 1, 1, 4], { device, requiresGrad: true });
    const at = (position: number) =>
      rotary.apply(x, tensor(Int32Array.of(position), [1, 1], { device }), { maxPosition: position });
    const before = at(3);
    const { rows } = rotary.tables(1);
    at(10 * rows);
    expect(rotary.tables(1).rows).toBeGreaterThan(10 * rows);
    expectClose(await at(3).data(), await before.data(), EXACT);
    before.backward(before.detach());
    expectClose(await x.grad!.data(), [1, 2, 3, 4], FLOAT32); // turned and turned back
  });

  it('keeps no memory after dispose', () => {
    const { memory } = tensor([0], [1], { device }).device;
    const before = memory.liveBuffers;
    const rotary = new RotaryEmbedding({ headDim: 4 });
    rotary.tables(5);
    expect(memory.liveBuffers).toBe(before + 2);
    rotary.dispose();
    expect(memory.liveBuffers).toBe(before);
  });

  it('says what does not fit', () => {
    const rotary = new RotaryEmbedding({ headDim: 4 });
    const x = tensor(new Float32Array(24), [1, 3, 2, 4]);
    const positions = (count: number) => tensor(new Int32Array(count), [1, count]);
    expect(() => rotary.apply(tensor([1]), positions(1), { maxPosition: 0 })).toThrow(
      'RotaryEmbedding: x must be [B, T, H, D]: expected D = 4, got [1]',
    );
    expect(() => rotary.apply(x, positions(2), { maxPosition: 0 })).toThrow(
      'RotaryEmbedding: positions must be [B, T]: expected [1,3], got [1,2] (x is [1,3,2,4])',
    );
    expect(() => rotary.apply(x, positions(3), { layout: 'bhtd', maxPosition: 0 })).toThrow(
      'expected [1,2], got [1,3]',
    );
    expect(() => rotary.apply(x, tensor([[0, 1, 2]]), { maxPosition: 2 })).toThrow(
      "must be int32, got float32; convert them with .to('int32')",
    );
    expect(() => rotary.apply(x, positions(3), { maxPosition: -1 })).toThrow(
      'RotaryEmbedding: maxPosition must be a whole number of 0 or more, got -1',
    );
  });

  it('positions beyond the largest that was said, or before the first, where the host sees them', () => {
    const x = zeros([1, 3, 2, 4], { device: 'cpu' });
    const turn = (...places: number[]) => {
      const positions = tensor(Int32Array.from(places), [1, 3], { device: 'cpu' });
      return () => new RotaryEmbedding({ headDim: 4 }).apply(x, positions, { maxPosition: 2 });
    };
    expect(turn(0, 500, 2)).toThrow('RotaryEmbedding: positions must be from 0 to maxPosition, 2, got 500');
    expect(turn(0, 1, -1)).toThrow('got -1');
  });
});

describe('rotaryFrequencies', () => {
  const plain = (headDim: number, theta = 10000) =>
    Array.from({ length: headDim / 2 }, (_, i) => 1 / theta ** ((2 * i) / headDim));

  it('is a geometric series, over the part that turns', () => {
    expectClose(rotaryFrequencies({ headDim: 8 }).frequencies, [1, 0.1, 0.01, 0.001], FLOAT64);
    expectClose(rotaryFrequencies({ headDim: 8, rotaryDim: 4 }).frequencies, [1, 0.01], FLOAT64);
    expectClose(rotaryFrequencies({ headDim: 4, theta: 100 }).frequencies, [1, 0.1], FLOAT64);
  });

  it('linear divides all by the factor', () => {
    const { frequencies, attentionScale } = rotaryFrequencies({ headDim: 8, scaling: { type: 'linear', factor: 4 } });
    expectClose(frequencies, [0.25, 0.025, 0.0025, 0.00025], FLOAT64);
    expect(attentionScale).toBe(1);
  });

  it('llama3 keeps the short, stretches the long and blends between', () => {
    const scaling: RotaryScaling = {
      ...{ type: 'llama3', factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 64 },
    };
    const { frequencies } = rotaryFrequencies({ headDim: 8, theta: 1000, scaling });
    // wavelengths 6.28, 35.3, 198.7, 1117: shorter than 64 / 4; between; longer than 64 / 1; longer
    const [first, second, third, fourth] = plain(8, 1000) as [number, number, number, number];
    const share = (64 / ((2 * Math.PI) / second) - 1) / 3;
    const expected = [first, share * second + ((1 - share) * second) / 8, third / 8, fourth / 8];
    expectClose(frequencies, expected, FLOAT64);
  });

  it('yarn agrees with the formula of the paper', () => {
    // section 3.2: r(d) = L / λ(d) turns over the original context; γ = 0 below beta_slow, 1 above beta_fast. Its code
    // solves r(d) = beta for d, rounds outwards and goes linearly between, which is written out here by hand:
    // D = 16, L = 256, θ = 10000: d(β) = 16 · ln(256 / 2πβ) / (2 ln 10000) is 0.2099 for 32, floor 0; 3.2204 for 1, ceil 4.
    const scaling: RotaryScaling = { type: 'yarn', factor: 4, originalMaxPositionEmbeddings: 256 };
    const { frequencies, attentionScale } = rotaryFrequencies({ headDim: 16, scaling });
    const kept = [1, 0.75, 0.5, 0.25, 0, 0, 0, 0];
    expectClose(
      frequencies,
      plain(16).map((f, i) => f * (kept[i]! + (1 - kept[i]!) / 4)),
      FLOAT64,
    );
    expect(attentionScale).toBeCloseTo(0.1 * Math.log(4) + 1, 14);
  });

  it('yarn takes its ends and its factor on cosine and sine from the options', async () => {
    // d(16) = 0.8119, floor 0; d(8) = 1.4140, ceil 2
    const scaling: RotaryScaling = {
      ...{ type: 'yarn', factor: 2, originalMaxPositionEmbeddings: 256, betaFast: 16, betaSlow: 8 },
      attentionFactor: 0.5,
    };
    const { frequencies, attentionScale } = rotaryFrequencies({ headDim: 16, scaling });
    const kept = [1, 0.5, 0, 0, 0, 0, 0, 0];
    expectClose(
      frequencies,
      plain(16).map((f, i) => f * (kept[i]! + (1 - kept[i]!) / 2)),
      FLOAT64,
    );
    expect(attentionScale).toBe(0.5);
    const rotary = new RotaryEmbedding({ headDim: 16, scaling });
    const tables = rotary.tables(2);
    expectClose(
      (await tables.cos.data()).subarray(8, 16),
      [...frequencies].map((f) => 0.5 * Math.cos(f)),
      FLOAT32,
    );
    expectClose(
      (await tables.sin.data()).subarray(8, 16),
      [...frequencies].map((f) => 0.5 * Math.sin(f)),
      FLOAT32,
    );
  });

  it('yarn of a factor of 1 or less leaves cosine and sine as they are', () => {
    const scaling: RotaryScaling = { type: 'yarn', factor: 0.5, originalMaxPositionEmbeddings: 256 };
    expect(rotaryFrequencies({ headDim: 16, scaling }).attentionScale).toBe(1);
  });

  it('yarn keeps the ends of its ramp as they are where they are not to be whole', () => {
    // d(32) = 0.2099, d(1) = 3.2204, as above
    const scaling: RotaryScaling = { type: 'yarn', factor: 4, originalMaxPositionEmbeddings: 256, truncate: false };
    const end = (turns: number) => (16 * Math.log(256 / (turns * 2 * Math.PI))) / (2 * Math.log(10000));
    const ramp = (i: number) => Math.min(Math.max((i - end(32)) / (end(1) - end(32)), 0), 1);
    expectClose(
      rotaryFrequencies({ headDim: 16, scaling }).frequencies,
      plain(16).map((f, i) => f * (1 - ramp(i)) + (f / 4) * ramp(i)),
      FLOAT64,
    );
  });

  it('dynamic stretches the base as the text exceeds the original length', () => {
    const scaling: RotaryScaling = { type: 'dynamic', factor: 2, originalMaxPositionEmbeddings: 10 };
    const at = (length?: number) => rotaryFrequencies({ headDim: 8, theta: 100, scaling }, length).frequencies;
    for (const length of [undefined, 3, 10]) expectClose(at(length), plain(8, 100), FLOAT64);
    // 2 · 30 / 10 − 1 = 5, so that the longest wavelength, theta^(6/8), is 5 times as long: the base is 100 · 5^(8/6)
    expectClose(at(30), plain(8, 100 * 5 ** (8 / 6)), FLOAT64);
    expectClose([at(30)[3]!], [plain(8, 100)[3]! / 5], FLOAT64);
  });

  it('longrope has a factor for each wavelength, and others for long texts', () => {
    const [shortFactor, longFactor] = [
      [1, 1.5],
      [2, 8],
    ];
    const scaling: RotaryScaling = {
      ...{ type: 'longrope', shortFactor, longFactor, originalMaxPositionEmbeddings: 10, attentionFactor: 1.25 },
    };
    const at = (length: number) => rotaryFrequencies({ headDim: 4, theta: 100, scaling }, length);
    expectClose(at(10).frequencies, [1, 0.1 / 1.5], FLOAT64);
    expectClose(at(11).frequencies, [0.5, 0.0125], FLOAT64);
    expect([at(10).attentionScale, at(11).attentionScale]).toEqual([1.25, 1.25]);
  });

  it.each<[string, RotaryScaling]>([
    ['dynamic', { type: 'dynamic', factor: 2, originalMaxPositionEmbeddings: 10 }],
    ['longrope', { type: 'longrope', shortFactor: [1, 2], longFactor: [3, 4], originalMaxPositionEmbeddings: 10 }],
  ])('%s tables are those of the length of the text, whatever was asked for before', async (_name, scaling) => {
    const rotary = new RotaryEmbedding({ headDim: 4, scaling });
    for (const length of [4, 20, 24, 11, 7]) {
      const { frequencies } = rotaryFrequencies({ headDim: 4, scaling }, length);
      const { cos } = rotary.tables(length);
      expectClose((await cos.data()).subarray(2, 4), [...frequencies].map(Math.cos), FLOAT32);
    }
  });

  it('refuses what is out of range', () => {
    expect(() => new RotaryEmbedding({ headDim: 8, base: 500_000 } as never)).toThrow(
      'RotaryEmbedding: there is no option base; expected headDim, rotaryDim, theta, scaling, interleaved',
    );
    expect(() => sinusoidalPositions(4, 4, { layout: 'halves' as never })).toThrow(
      new RangeError('sinusoidalPositions: layout must be interleaved or concatenated, got halves'),
    );
    expect(() => sinusoidalPositions(4, 4, { theta: 100 } as object)).toThrow(
      'there is no option theta; expected base, ',
    );
    expect(() => rotaryFrequencies({ headDim: 7 })).toThrow(
      new RangeError('rotaryFrequencies: rotaryDim must be even and from 2 to headDim 7, got 7'),
    );
    expect(() => rotaryFrequencies({ headDim: 8, rotaryDim: 10 })).toThrow('from 2 to headDim 8, got 10');
    expect(() => rotaryFrequencies({ headDim: 8, theta: 0 })).toThrow('theta must be greater than 0, got 0');
    expect(() => rotaryFrequencies({ headDim: 8, scaling: { type: 'linear', factor: 0 } })).toThrow(
      'scaling.factor must be greater than 0, got 0',
    );
    const unknown = { type: 'ntk', factor: 2 } as unknown as RotaryScaling;
    expect(() => rotaryFrequencies({ headDim: 8, scaling: unknown })).toThrow(
      'scaling.type must be linear, dynamic, llama3, yarn, longrope, got ntk',
    );
    const llama3 = { factor: 8, lowFreqFactor: 1, highFreqFactor: 4, originalMaxPositionEmbeddings: 16 };
    const missing: [string, object][] = [
      ...Object.keys(llama3).map((name): [string, object] => [name, { type: 'llama3', ...llama3, [name]: undefined }]),
      ['originalMaxPositionEmbeddings', { type: 'dynamic', factor: 2 }],
      ['originalMaxPositionEmbeddings', { type: 'yarn', factor: 2 }],
      ['originalMaxPositionEmbeddings', { type: 'longrope', shortFactor: [1, 1], longFactor: [1, 1] }],
    ];
    for (const [name, scaling] of missing) {
      expect(() => rotaryFrequencies({ headDim: 4, scaling: scaling as RotaryScaling })).toThrow(
        `scaling.${name} must be greater than 0, got undefined`,
      );
    }
    const dynamic: RotaryScaling = { type: 'dynamic', factor: 2, originalMaxPositionEmbeddings: 8 };
    expect(() => rotaryFrequencies({ headDim: 2, scaling: dynamic })).toThrow('needs two pairs that turn or more');
    const longrope: RotaryScaling = {
      ...{ type: 'longrope', shortFactor: [1, 1], longFactor: [1], originalMaxPositionEmbeddings: 8 },
    };
    expect(() => rotaryFrequencies({ headDim: 4, scaling: longrope })).toThrow(
      'scaling.longFactor must be a factor greater than 0 for each pair: expected 2, got 1',
    );
  });
});

describe('sinusoidalPositions', () => {
  const fixture = readFixture('rope', 'sinusoidal');
  const [count, width] = [fixture.number('n_positions'), fixture.number('d_model')];
  const base = fixture.number('base');

  it('agrees with the formula of the paper', async () => {
    await expectFixture(fixture, 'pe', sinusoidalPositions(count, width, { base }));
    await expectFixture(fixture, 'pe_concat', sinusoidalPositions(count, width, { base, layout: 'concatenated' }));
  });

  it('refuses sizes that cannot be', () => {
    expect(() => sinusoidalPositions(3, 5)).toThrow(
      new RangeError('sinusoidalPositions: width must be an even number of 2 or more, got 5'),
    );
    expect(() => sinusoidalPositions(0, 4)).toThrow('count must be a whole number of 1 or more, got 0');
  });
});
