import { cat, gelu, maximum, minimum, pow, silu, stack, type Tensor, tensor, where } from '@burin/tensor';
import { checkGradient, type GradientCase } from '@burin/testing';
import { describe, expect, it } from 'vitest';

const map = (x: Float64Array, f: (v: number) => number) => x.map(f);
const sigmoid = (v: number) => 1 / (1 + Math.exp(-v));
/** Series of erf: exact to 1e-15 for the small arguments used here. */
function erf(x: number): number {
  let term = x;
  let sum = x;
  for (let n = 1; n < 60; n++) {
    term *= (-x * x) / n;
    sum += term / (2 * n + 1);
  }
  return (2 / Math.sqrt(Math.PI)) * sum;
}

const unary: Record<string, [run: GradientCase['run'], f: (v: number) => number, range?: [number, number]]> = {
  neg: [([x]) => x!.neg(), (v) => -v],
  abs: [([x]) => x!.abs(), Math.abs],
  exp: [([x]) => x!.exp(), Math.exp],
  log: [([x]) => x!.log(), Math.log, [0.2, 4]],
  sqrt: [([x]) => x!.sqrt(), Math.sqrt, [0.2, 4]],
  rsqrt: [([x]) => x!.rsqrt(), (v) => 1 / Math.sqrt(v), [0.2, 4]],
  reciprocal: [([x]) => x!.reciprocal(), (v) => 1 / v, [0.5, 4]],
  square: [([x]) => x!.square(), (v) => v * v],
  sin: [([x]) => x!.sin(), Math.sin],
  cos: [([x]) => x!.cos(), Math.cos],
  tanh: [([x]) => x!.tanh(), Math.tanh],
  sigmoid: [([x]) => x!.sigmoid(), sigmoid],
  erf: [([x]) => x!.erf(), erf],
  relu: [([x]) => x!.relu(), (v) => Math.max(v, 0)],
  gelu: [([x]) => x!.gelu(), (v) => 0.5 * v * (1 + erf(v / Math.SQRT2))],
  'gelu, tanh': [
    ([x]) => gelu(x!, { approximate: 'tanh' }),
    (v) => 0.5 * v * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (v + 0.044715 * v ** 3))),
  ],
  quickGelu: [([x]) => x!.quickGelu(), (v) => v * sigmoid(1.702 * v)],
  silu: [([x]) => x!.silu(), (v) => v * sigmoid(v)],
  'silu with beta': [([x]) => silu(x!, 1.5), (v) => v * sigmoid(1.5 * v)],
  'add a number': [([x]) => x!.add(3), (v) => v + 3],
  'subtract a number': [([x]) => x!.sub(3), (v) => v - 3],
  'multiply by a number': [([x]) => x!.mul(-1.5), (v) => v * -1.5],
  'divide by a number': [([x]) => x!.div(3), (v) => v / 3],
  'power of a number': [([x]) => x!.pow(3), (v) => v ** 3],
  'number to a power': [([x]) => pow(1.5, x!), (v) => 1.5 ** v],
  clampMin: [([x]) => x!.clampMin(0.25), (v) => Math.max(v, 0.25)],
  clampMax: [([x]) => x!.clampMax(0.25), (v) => Math.min(v, 0.25)],
};

describe('operations on one tensor', () => {
  it.each(Object.entries(unary))('%s', async (_, [run, f, range]) => {
    await checkGradient({ shapes: [[3, 7]], ...(range ? { range } : {}), run, reference: ([x]) => map(x!, f) });
  });
});

const binary: Record<string, [run: GradientCase['run'], f: (a: number, b: number) => number]> = {
  add: [([a, b]) => a!.add(b!), (a, b) => a + b],
  sub: [([a, b]) => a!.sub(b!), (a, b) => a - b],
  mul: [([a, b]) => a!.mul(b!), (a, b) => a * b],
  div: [([a, b]) => a!.div(b!), (a, b) => a / b],
  pow: [([a, b]) => a!.pow(b!), (a, b) => a ** b],
  maximum: [([a, b]) => maximum(a!, b!), Math.max],
  minimum: [([a, b]) => minimum(a!, b!), Math.min],
};

describe('operations on two tensors', () => {
  it.each(Object.entries(binary))('%s of one shape', async (_, [run, f]) => {
    await checkGradient({
      shapes: [
        [3, 5],
        [3, 5],
      ],
      range: [0.3, 2],
      run,
      reference: ([a, b]) => a!.map((v, i) => f(v, b![i]!)),
    });
  });
  it.each(Object.entries(binary))('%s, a row repeated', async (_, [run, f]) => {
    await checkGradient({
      shapes: [[3, 5], [5]],
      range: [0.3, 2],
      run,
      reference: ([a, b]) => a!.map((v, i) => f(v, b![i % 5]!)),
    });
  });
  it.each(Object.entries(binary))('%s, a column and a scalar repeated', async (_, [run, f]) => {
    await checkGradient({
      shapes: [
        [3, 1],
        [1, 5],
      ],
      range: [0.3, 2],
      run,
      reference: ([a, b]) => Array.from({ length: 15 }, (_, i) => f(a![Math.floor(i / 5)]!, b![i % 5]!)),
    });
    await checkGradient({
      shapes: [[], [5]],
      range: [0.3, 2],
      run,
      reference: ([a, b]) => b!.map((v) => f(a![0]!, v)),
    });
  });
  /** Gradients of `run`, with one for each element of its result. */
  const gradientsAt = async (run: (a: Tensor, b: Tensor) => Tensor, a: number[], b: number[]) => {
    const [x, z] = [a, b].map((values) => tensor(values, undefined, { requiresGrad: true })) as [Tensor, Tensor];
    run(x, z).sum().backward();
    return [[...(await x.grad!.data())], [...(await z.grad!.data())]];
  };
  it('powers with bases and exponents of 0, and negative bases, have the gradients of PyTorch', async () => {
    expect(await gradientsAt(pow, [0, 0, 0, -2, -2, Infinity], [0, 1, 2, 2, 0, 0])).toEqual([
      [0, 1, 0, -4, 0, 0],
      [0, 0, 0, NaN, NaN, Infinity],
    ]);
  });
  it('equal infinities share the gradient of their maximum and minimum', async () => {
    for (const run of [maximum, minimum]) {
      expect(await gradientsAt(run, [Infinity, -Infinity, 1], [Infinity, -Infinity, 1])).toEqual([
        [0.5, 0.5, 0.5],
        [0.5, 0.5, 0.5],
      ]);
    }
  });
  it('where takes from one or the other, and so does its gradient', async () => {
    const condition = tensor(new Uint8Array([1, 0, 1, 0, 0]));
    await checkGradient({
      shapes: [[2, 5], [5]],
      run: ([a, b]) => where(condition, a!, b!),
      reference: ([a, b]) =>
        a!.map((v, i) => ((i % 2 === 0 && i % 5 !== 4 && i < 5) || [5, 7].includes(i) ? v : b![i % 5]!)),
    });
  });
  it('refuses a GELU that there is not', () => {
    expect(() => gelu(tensor([1]), { approximate: 'sigmoid' as never })).toThrow(
      new RangeError('gelu: approximate must be none or tanh, got sigmoid'),
    );
  });

  it('maskedFill stops the gradient where it fills', async () => {
    const mask = tensor(new Uint8Array([0, 1, 0]));
    await checkGradient({
      shapes: [[2, 3]],
      run: ([x]) => x!.maskedFill(mask, -9),
      reference: ([x]) => x!.map((v, i) => (i % 3 === 1 ? -9 : v)),
    });
  });
});

/** Sums a [2, 3, 5] tensor over the axes that are not kept. */
function reduce(x: Float64Array, kept: boolean[], join: (a: number, b: number) => number, start: number): number[] {
  const lengths = [2, 3, 5].map((length, axis) => (kept[axis] ? length : 1));
  const out = new Array<number>(lengths[0]! * lengths[1]! * lengths[2]!).fill(start);
  for (let i = 0; i < 30; i++) {
    const at = [Math.floor(i / 15), Math.floor(i / 5) % 3, i % 5].map((index, axis) => (kept[axis] ? index : 0));
    const to = (at[0]! * lengths[1]! + at[1]!) * lengths[2]! + at[2]!;
    out[to] = join(out[to]!, x[i]!);
  }
  return out;
}

describe('reductions', () => {
  const axes: [number | number[] | undefined, boolean[]][] = [
    [undefined, [false, false, false]],
    [0, [false, true, true]],
    [1, [true, false, true]],
    [-1, [true, true, false]],
    [
      [0, 2],
      [false, true, false],
    ],
    [
      [1, 2],
      [true, false, false],
    ],
  ];
  it.each(axes)('over axes %j', async (over, kept) => {
    const shapes = [[2, 3, 5]];
    await checkGradient({
      shapes,
      run: ([x]) => x!.sum(over),
      reference: ([x]) => reduce(x!, kept, (a, b) => a + b, 0),
    });
    const count = [2, 3, 5].reduce((n, length, axis) => (kept[axis] ? n : n * length), 1);
    await checkGradient({
      shapes,
      run: ([x]) => x!.mean(over, true),
      reference: ([x]) => reduce(x!, kept, (a, b) => a + b, 0).map((v) => v / count),
    });
    await checkGradient({
      shapes,
      run: ([x]) => x!.amax(over),
      reference: ([x]) => reduce(x!, kept, Math.max, -Infinity),
    });
    await checkGradient({
      shapes,
      run: ([x]) => x!.amin(over),
      reference: ([x]) => reduce(x!, kept, Math.min, Infinity),
    });
  });
  it('over no axes are a copy', async () => {
    const x = tensor(3);
    x.sum().mul_(2);
    expect(await x.item()).toBe(3);
  });
});

describe('softmax', () => {
  const softmax = (x: Float64Array) => {
    const sums = [0, 1, 2].map((r) => x.slice(4 * r, 4 * r + 4).reduce((sum, v) => sum + Math.exp(v), 0));
    return x.map((v, i) => Math.exp(v) / sums[Math.floor(i / 4)]!);
  };
  it('over the last axis', async () => {
    await checkGradient({ shapes: [[3, 4]], run: ([x]) => x!.softmax(), reference: ([x]) => softmax(x!) });
    await checkGradient({
      shapes: [[3, 4]],
      run: ([x]) => x!.logSoftmax(),
      reference: ([x]) => softmax(x!).map(Math.log),
    });
  });
  it('over another axis', async () => {
    const transposed = (x: Float64Array, rows: number, cols: number) =>
      x.map((_, i) => x[(i % rows) * cols + Math.floor(i / rows)]!);
    await checkGradient({
      shapes: [[4, 3]],
      run: ([x]) => x!.softmax(0),
      reference: ([x]) => transposed(softmax(transposed(x!, 4, 3)), 3, 4),
    });
  });
});

describe('movement', () => {
  const at = (shape: number[], pick: (index: number[]) => number) => {
    const out: number[] = [];
    const walk = (index: number[]) => {
      if (index.length === shape.length) out.push(pick(index));
      else for (let i = 0; i < shape[index.length]!; i++) walk([...index, i]);
    };
    walk([]);
    return out;
  };
  it('refuses lengths left open and axes in the wrong order', () => {
    expect(() => tensor([1, 2]).expand([-1, 2])).toThrow(
      'expand: a shape holds whole numbers of 0 or more, got [-1,2]',
    );
    expect(() => tensor([1, 2]).expand([-1, -1, 2])).toThrow('got [-1,-1,2]');
    expect(() => tensor([[[1, 2]]]).flatten(2, 1)).toThrow('flatten: axis 2 must not come after axis 1 of [1,1,2]');
  });
  it('permute, transpose, expand, narrow, reshape', async () => {
    await checkGradient({
      shapes: [[2, 3, 4]],
      run: ([x]) => x!.permute([2, 0, 1]),
      reference: ([x]) => at([4, 2, 3], ([c, a, b]) => x![a! * 12 + b! * 4 + c!]!),
    });
    await checkGradient({
      shapes: [[2, 3, 4]],
      run: ([x]) => x!.transpose(1, 2).reshape([2, -1]),
      reference: ([x]) => at([2, 4, 3], ([a, c, b]) => x![a! * 12 + b! * 4 + c!]!),
    });
    await checkGradient({
      shapes: [[3, 1]],
      run: ([x]) => x!.expand([2, -1, 4]),
      reference: ([x]) => at([2, 3, 4], ([, b]) => x![b!]!),
    });
    await checkGradient({
      shapes: [[2, 5, 3]],
      run: ([x]) => x!.narrow(1, -4, 3),
      reference: ([x]) => at([2, 3, 3], ([a, b, c]) => x![a! * 15 + (b! + 1) * 3 + c!]!),
    });
  });
  it('cat, stack, split', async () => {
    await checkGradient({
      shapes: [
        [2, 3],
        [2, 1],
      ],
      run: ([a, b]) => cat([a!, b!], 1),
      reference: ([a, b]) => at([2, 4], ([r, c]) => (c! < 3 ? a![r! * 3 + c!]! : b![r!]!)),
    });
    await checkGradient({
      shapes: [[3], [3]],
      run: ([a, b]) => stack([a!, b!], 1),
      reference: ([a, b]) => at([3, 2], ([r, c]) => (c === 0 ? a![r!]! : b![r!]!)),
    });
    await checkGradient({
      shapes: [[5]],
      run: ([x]) => {
        const [first, second, third] = x!.split(2);
        return cat([third!, second!.mul(2), first!]);
      },
      reference: ([x]) => [x![4]!, 2 * x![2]!, 2 * x![3]!, x![0]!, x![1]!],
    });
  });
  it('adds up where pieces overlap, as in a convolution', async () => {
    await checkGradient({
      shapes: [[2, 4, 3]],
      run: ([x]) =>
        x!
          .narrow(1, 0, 3)
          .add(x!.narrow(1, 1, 3).mul(2))
          .add(x!.narrow(2, 0, 2).sum()),
      reference: ([x]) => {
        const sum = at([2, 4, 2], ([a, b, c]) => x![a! * 12 + b! * 3 + c!]!).reduce((total, value) => total + value);
        return at([2, 3, 3], ([a, b, c]) => x![a! * 12 + b! * 3 + c!]! + 2 * x![a! * 12 + (b! + 1) * 3 + c!]! + sum);
      },
    });
  });
});
