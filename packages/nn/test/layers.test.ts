import { Conv1D, Dropout, Embedding, init, isLinearLike, Linear, Module, Parameter } from '@burin/nn';
import { type DType, Generator, ones, tensor, zeros } from '@burin/tensor';
import { devices, EXACT, expectClose, FLOAT32, GRADIENT, numericGradient, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';

const rng = (seed = 0) => new Generator(seed);

describe('Linear', () => {
  // by hand: [1, 2] · [[1, 3], [5, 7], [9, 11]]ᵀ + [0.5, 0, -1]
  it('multiplies by the transposed weight and adds the bias', async () => {
    const weight = new Parameter(tensor([1, 3, 5, 7, 9, 11], [3, 2]));
    const layer = Linear.from(weight, new Parameter(tensor([0.5, 0, -1])));
    const y = layer.forward(tensor([[[1, 2]]]));
    expect(y.shape).toEqual([1, 1, 3]);
    expectClose(await y.data(), [7.5, 19, 30], EXACT);
    expect([layer.inFeatures, layer.outFeatures]).toEqual([2, 3]);
    expectClose(
      await Linear.from(weight)
        .forward(tensor([[1, 2]]))
        .data(),
      [7, 19, 31],
      EXACT,
    );
  });

  it('has the gradient of the reference in weight, bias and input', async () => {
    const random = seededRandom(3);
    const layer = new Linear(3, 5, { rng: rng() });
    const x = tensor(random.uniform(6, -1, 1), [2, 3], { requiresGrad: true });
    const seed = random.uniform(10, -1, 1);
    layer.forward(x).backward(tensor(seed, [2, 5]));
    const [xs, ws, bs] = await Promise.all([x.data(), layer.weight.data(), layer.bias!.data()]);
    const run = (x: ArrayLike<number>, w: ArrayLike<number>, b: ArrayLike<number>) => {
      let sum = 0;
      for (let row = 0; row < 2; row++)
        for (let out = 0; out < 5; out++) {
          let y = b[out]!;
          for (let i = 0; i < 3; i++) y += x[row * 3 + i]! * w[out * 3 + i]!;
          sum += seed[row * 5 + out]! * y;
        }
      return sum;
    };
    expectClose(
      await x.grad!.data(),
      numericGradient((at) => run(at, ws, bs), xs),
      GRADIENT,
    );
    expectClose(
      await layer.weight.grad!.data(),
      numericGradient((at) => run(xs, at, bs), ws),
      GRADIENT,
    );
    expectClose(
      await layer.bias!.grad!.data(),
      numericGradient((at) => run(xs, ws, at), bs),
      GRADIENT,
    );
  });

  it.each(['float16', 'bfloat16'] as const)('stores weight and bias as %s and widens them', async (dtype) => {
    const layer = new Linear(3, 2, { rng: rng(), dtype });
    expect([layer.weight.dtype, layer.bias!.dtype]).toEqual([dtype, dtype]);
    const wide = Linear.from(new Parameter(layer.weight.to('float32')), new Parameter(layer.bias!.to('float32')));
    const x = tensor([[0.3, -1, 2]]);
    expectClose(await layer.forward(x).data(), await wide.forward(x).data(), FLOAT32);
    expectClose(await layer.floatWeight().data(), await wide.weight.data(), EXACT);
    expect(layer.floatWeight().dtype).toBe('float32');
  });

  it('has no bias where none is wanted', () => {
    const layer = new Linear(3, 2, { bias: false, rng: rng() });
    expect(layer.bias).toBeNull();
    expect([...layer.namedParameters()].map(([name]) => name)).toEqual(['weight']);
  });

  it('is recognised by what it can do', () => {
    expect(isLinearLike(new Linear(1, 1, { rng: rng() }))).toBe(true);
    expect(isLinearLike(new Embedding(1, 1, { rng: rng() }))).toBe(false);
    expect(isLinearLike(new (class extends Module {})())).toBe(false);
  });

  it('refuses widths and shapes that do not fit', () => {
    expect(() => new Linear(0, 2, { rng: rng() })).toThrow(
      new RangeError('Linear: widths must be whole numbers of 1 or more, got 0 and 2'),
    );
    expect(() => new Linear(2, 1.5, { rng: rng() })).toThrow('got 2 and 1.5');
    expect(() => Linear.from(init.ones([3]))).toThrow('Linear.from: the weight must be [out, in], got [3]');
    expect(() => Linear.from(init.ones([3, 2]), init.ones([2]))).toThrow(
      'Linear.from: the bias must have a number for each output: expected [3], got [2] (the weight is [3,2])',
    );
    expect(() => Linear.from(init.ones([3, 2]), init.ones([3, 1]))).toThrow('expected [3], got [3,1]');
  });
});

describe('Embedding', () => {
  it('reads rows, and adds gradients of the same row up', async () => {
    const table = Embedding.from(new Parameter(tensor([1, 2, 3, 4, 5, 6], [3, 2])));
    const y = table.forward(tensor(Int32Array.of(2, 0, 2), [1, 3]));
    expect(y.shape).toEqual([1, 3, 2]);
    expectClose(await y.data(), [5, 6, 1, 2, 5, 6], EXACT);
    y.backward(tensor([1, 2, 10, 20, 100, 200], [1, 3, 2]));
    expectClose(await table.weight.grad!.data(), [10, 20, 0, 0, 101, 202], EXACT);
  });

  it('starts the padding vector as zeros and gives it no gradient', async () => {
    const table = new Embedding(3, 2, { paddingIndex: 1, rng: rng() });
    const values = await table.weight.data();
    expect([values[2], values[3]]).toEqual([0, 0]);
    expect(values[0]).not.toBe(0);
    table
      .forward(tensor(Int32Array.of(1, 2)))
      .sum()
      .backward();
    expectClose(await table.weight.grad!.data(), [0, 0, 0, 0, 1, 1], EXACT);
  });

  it('leaves a table that is there as it is', async () => {
    const weight = init.ones([3, 2]);
    const table = Embedding.from(weight, { paddingIndex: 1 });
    expect(table.weight).toBe(weight);
    expectClose(await weight.data(), [1, 1, 1, 1, 1, 1], EXACT);
    table
      .forward(tensor(Int32Array.of(1)))
      .sum()
      .backward();
    expectClose(await weight.grad!.data(), [0, 0, 0, 0, 0, 0], EXACT);
  });

  it('shares its table with a head: both parts of the gradient add up', async () => {
    const table = Embedding.from(new Parameter(tensor([1, 2, 3, 4], [2, 2])));
    const head = Linear.from(table.weight);
    head
      .forward(table.forward(tensor(Int32Array.of(0))))
      .sum()
      .backward(); // Σ over rows j of e0 · ej
    // d/de0 (e0·e0 + e0·e1) = 2 e0 + e1 = [5, 8]; d/de1 = e0 = [1, 2]
    expectClose(await table.weight.grad!.data(), [5, 8, 1, 2], EXACT);
  });

  it('refuses sizes and a padding index that cannot be', () => {
    expect(() => new Embedding(0, 2, { rng: rng() })).toThrow(
      'Embedding: sizes must be whole numbers of 1 or more, got 0 and 2',
    );
    expect(() => new Embedding(3, 2, { paddingIndex: 3, rng: rng() })).toThrow(
      new RangeError('Embedding: paddingIndex must be one of the ids 0 to 2, got 3'),
    );
    expect(() => Embedding.from(init.ones([3]))).toThrow('Embedding.from: the table must be [V, C], got [3]');
    for (const paddingIndex of [3, -1]) {
      expect(() => Embedding.from(init.ones([3, 2]), { paddingIndex })).toThrow(
        new RangeError(`Embedding.from: paddingIndex must be one of the ids 0 to 2, got ${paddingIndex}`),
      );
    }
  });
});

describe('a layer', () => {
  it('is not made of plain tensors without a gradient, which nobody would train', () => {
    const message = 'must be a Parameter, got a plain tensor; make one of it: new Parameter(tensor)';
    const [weight, bias] = [ones([2, 3]), ones([2])];
    expect(() => Linear.from(weight)).toThrow(new TypeError(`Linear.from: the weight ${message}`));
    expect(() => Linear.from(init.ones([2, 3]), bias)).toThrow(`Linear.from: the bias ${message}`);
    expect(() => Embedding.from(weight)).toThrow(`Embedding.from: the table ${message}`);
    expect(() => new Conv1D(weight)).toThrow(`Conv1D: the weight ${message}`);
    expect(() => new Conv1D(init.ones([3, 2]), bias)).toThrow(`Conv1D: the bias ${message}`);
    expect(Linear.from(ones([2, 3], { requiresGrad: true })).parameters()).toEqual([]); // somebody else's
    expect(() => Linear.from([[1]] as never)).toThrow('Linear.from: the weight must be a Parameter, got object');
  });

  it('says which options it needs, and has floating weights', () => {
    const make = (Layer: new (...sizes: number[]) => unknown) => () => new Layer(2, 3);
    for (const Layer of [Linear, Embedding]) {
      expect(make(Layer as never)).toThrow(
        new TypeError(`${Layer.name}: expected options such as { rng: new Generator(42) }, got undefined`),
      );
      expect(() => new Layer(2, 3, { rng: rng(), dtype: 'int32' })).toThrow(
        'Parameter: only floating-point tensors are learned, got int32',
      );
    }
  });
});

describe.each(devices)('Dropout on %s', (device) => {
  const x = () => ones([64, 64], { device });

  it('does nothing in evaluation mode, and with p = 0', () => {
    const input = x();
    expect(new Dropout(0.5, rng()).eval().forward(input)).toBe(input);
    expect(new Dropout(0, rng()).forward(input)).toBe(input);
  });

  it('drops a share of p and scales the rest', async () => {
    const y = await new Dropout(0.25, rng()).forward(x()).data();
    const kept = [...y].filter((value) => value !== 0);
    expectClose(kept, new Array<number>(kept.length).fill(4 / 3), FLOAT32);
    const deviations = Math.abs(kept.length - 0.75 * 4096) / Math.sqrt(4096 * 0.75 * 0.25);
    expect(deviations).toBeLessThan(4); // standard deviations of a binomial
  });

  it('drops the same for the same seed, other elements the next time, and the same in the backward pass', async () => {
    const dropout = new Dropout(0.5, rng(7));
    const input = ones([64, 64], { device, requiresGrad: true });
    const output = dropout.forward(input);
    const first = await output.data();
    expect(await new Dropout(0.5, rng(7)).forward(x()).data()).toEqual(first);
    expect(await dropout.forward(x()).data()).not.toEqual(first);
    output.sum().backward();
    expect(await input.grad!.data()).toEqual(first);
  });

  it.each([-0.1, 1, Number.NaN])('refuses p = %d', (p) => {
    expect(() => new Dropout(p, rng())).toThrow(new RangeError(`Dropout: p must be in [0, 1), got ${p}`));
  });
});

describe('init', () => {
  const shape = [64, 48];
  const size = 64 * 48;

  async function moments(parameter: Parameter) {
    const values = Array.from(await parameter.data());
    const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
    const variance = values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / values.length;
    return { mean, std: Math.sqrt(variance), min: Math.min(...values), max: Math.max(...values) };
  }

  /** Four standard deviations of the estimates from `size` draws: chance fails one of 16,000 seeds, and this is one seed. */
  function expectMoments(got: { mean: number; std: number }, mean: number, std: number): void {
    expect(Math.abs(got.mean - mean)).toBeLessThan((4 * std) / Math.sqrt(size));
    expect(Math.abs(got.std - std)).toBeLessThan((4 * std) / Math.sqrt(2 * size));
  }

  it.each([
    ['uniform', () => init.uniform(shape, -0.5, 0.5, { rng: rng(1) }), 0.5],
    ['kaimingUniform, as PyTorch’s Linear', () => init.kaimingUniform(shape, { rng: rng(2) }), 1 / Math.sqrt(48)],
    ['kaimingUniform for ReLU', () => init.kaimingUniform(shape, { rng: rng(3), a: 0 }), Math.sqrt(6 / 48)],
    ['xavierUniform', () => init.xavierUniform(shape, { rng: rng(4) }), Math.sqrt(6 / (64 + 48))],
  ])('%s fills its bounds evenly', async (_name, make, bound) => {
    const got = await moments(make());
    expect(got.min).toBeGreaterThanOrEqual(-bound);
    expect(got.max).toBeLessThanOrEqual(bound);
    expect(got.max - got.min).toBeGreaterThan(1.98 * bound); // 3,072 draws leave gaps of bound / 1500
    expectMoments(got, 0, bound / Math.sqrt(3));
  });

  it('normal has its mean and standard deviation', async () => {
    expectMoments(await moments(init.normal(shape, 3, 0.02, { rng: rng(5) })), 3, 0.02);
  });

  it('zeros and ones are what they say', async () => {
    expectClose(await init.zeros([2, 3]).data(), [0, 0, 0, 0, 0, 0], EXACT);
    expectClose(await init.ones([3], { dtype: 'bfloat16' }).data(), [1, 1, 1], EXACT);
  });

  it('gives the same for the same seed, and stores what it drew as float32', async () => {
    const draw = (dtype: DType) => init.normal([5, 7], 0, 1, { rng: rng(9), dtype });
    expect(await draw('float32').data()).toEqual(await draw('float32').data());
    expect(await draw('bfloat16').data()).toEqual(await draw('float32').to('bfloat16').data());
    expect(draw('bfloat16').dtype).toBe('bfloat16');
    expect(await init.normal([5, 7], 0, 1, { rng: rng(8) }).data()).not.toEqual(await draw('float32').data());
  });

  it('makes parameters that a scope does not free', () => {
    const { memory } = zeros([1]).device;
    const before = memory.liveBuffers;
    const made = init.normal([2], 0, 1, { rng: rng(), dtype: 'float16' });
    expect(memory.liveBuffers).toBe(before + 1);
    made.dispose();
  });
});

describe('Conv1D', () => {
  const weight = () => new Parameter(tensor([1, 2, 3, 4, 5, 6], [2, 3])); // [in, out]

  it('is a Linear whose weight lies the other way round', async () => {
    const layer = new Conv1D(weight(), new Parameter(tensor([0.5, 0, -1])));
    const linear = Linear.from(new Parameter(layer.floatWeight()), layer.bias);
    expect([layer.inFeatures, layer.outFeatures, isLinearLike(layer)]).toEqual([2, 3, true]);
    const x = tensor([[[1, 0]], [[-1, 2]]]); // [2, 1, 2]
    expect(await layer.forward(x).data()).toEqual(Float32Array.of(1.5, 2, 2, 7.5, 8, 8));
    expect(await linear.forward(x).data()).toEqual(await layer.forward(x).data());
  });

  it('gives its weight a gradient of its own shape, and nothing else back', async () => {
    const layer = new Conv1D(weight());
    layer
      .forward(tensor([[1, 10]]))
      .sum()
      .backward();
    expect(await layer.weight.grad!.data()).toEqual(Float32Array.of(1, 1, 1, 10, 10, 10));
  });

  it('refuses shapes that do not fit', () => {
    expect(() => new Conv1D(new Parameter(tensor([1, 2])))).toThrow('Conv1D: the weight must be [in, out], got [2]');
    expect(() => new Conv1D(weight(), new Parameter(tensor([1, 2])))).toThrow(
      'Conv1D: the bias must have a number for each output: expected [3], got [2] (the weight is [2,3])',
    );
  });
});
