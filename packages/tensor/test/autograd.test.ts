import {
  cat,
  checkpoint,
  cpu,
  dropout,
  Generator,
  linear,
  MemoryError,
  noGrad,
  record,
  scope,
  type Tensor,
  tensor,
} from '@burin/tensor';
import { describe, expect, it } from 'vitest';

const leaf = (values: number[]) => tensor(values, undefined, { requiresGrad: true });
const values = async (x: Tensor | null) => [...(await x!.data())];

describe('backward', () => {
  it('adds up over uses and over passes', async () => {
    const x = leaf([2, 3]);
    x.mul(x).add(x).sum().backward();
    expect(await values(x.grad)).toEqual([5, 7]);
    x.mul(2).sum().backward();
    expect(await values(x.grad)).toEqual([7, 9]);
  });
  it('reaches a leaf through branches of different depth once each', async () => {
    const x = leaf([1, 2]);
    const y = x.exp();
    y.add(y.mul(y)).add(x).sum().backward();
    const expected = [1, 2].map((v) => Math.exp(v) + 2 * Math.exp(2 * v) + 1);
    expect(Array.from(await values(x.grad), (v, i) => Math.abs(v / expected[i]! - 1) < 1e-6)).toEqual([true, true]);
  });
  it('does not write into the gradient it was given', async () => {
    const x = leaf([1, 2]);
    const g = tensor([1, 1]);
    x.add(0).backward(g);
    x.add(0).backward(g);
    expect(await values(g)).toEqual([1, 1]);
    expect(await values(x.grad)).toEqual([2, 2]);
  });
  it('stops at detach and under noGrad', () => {
    const x = leaf([1]);
    expect(x.detach().mul(2).requiresGrad).toBe(false);
    expect(noGrad(() => x.mul(2)).requiresGrad).toBe(false);
    expect(() => x.detach().backward()).toThrow('backward: the output needs no gradient');
  });
  it('runs twice only if asked to keep the graph', async () => {
    const x = leaf([3]);
    const y = x.mul(x);
    y.backward(undefined, { retainGraph: true });
    y.backward();
    expect(await values(x.grad)).toEqual([12]);
    expect(() => y.backward()).toThrow(
      'what mul saved was freed by an earlier backward pass; pass { retainGraph: true }',
    );
  });
  it('says so where the output was freed', () => {
    const x = leaf([3]);
    let y = x;
    scope(() => {
      y = x.mul(x);
    });
    expect(() => y.backward()).toThrow(
      'backward: a tensor of shape [1] is used after it was freed; return it from its scope, or keep() it',
    );
  });
  it('refuses to read what was changed in place since', () => {
    const x = leaf([3]);
    const y = x.mul(x);
    x.detach().add_(tensor([1]));
    expect(() => y.backward()).toThrow('that mul saved was changed in place since');
  });
  it('adds once where an operation reads one tensor twice and adds in place', async () => {
    const x = tensor([[2]], undefined, { requiresGrad: true });
    for (let pass = 0; pass < 3; pass++) linear(x, x).backward();
    expect(await values(x.grad)).toEqual([12]);
    const h = x.mul(1);
    cat([linear(h, h), h])
      .sum()
      .backward();
    expect(await values(x.grad)).toEqual([17]);
  });
  it('gives gradients to what needed one in the forward pass', async () => {
    const [x, weight] = [tensor([3]), leaf([5])];
    const y = x.mul(weight);
    x.requiresGrad = true;
    y.backward();
    expect([await values(weight.grad), x.grad]).toEqual([[3], null]);
  });
  it('holds on to the inputs of an operation when their list changes', async () => {
    const x = leaf([1, 2]);
    const parts = [x, x.mul(2)];
    const y = cat(parts);
    parts.length = 0;
    y.sum().backward();
    expect(await values(x.grad)).toEqual([3, 3]);
  });
  it('wants one element, or a float32 gradient of the right shape', () => {
    const half = tensor([1], undefined, { dtype: 'float16' });
    expect(() => leaf([1]).backward(half)).toThrow(
      'backward: the gradient must be float32, whatever the output is stored as; got float16',
    );
    expect(() => leaf([1, 2]).mul(2).backward()).toThrow('one element is expected where no gradient is given, got [2]');
    expect(() =>
      leaf([1, 2])
        .mul(2)
        .backward(tensor([1])),
    ).toThrow('expected [2], got [1]');
  });
});

describe('record', () => {
  const reversed = (x: Tensor, output: Tensor) => record('reversed', [x], output, [], (g) => [g.neg()]);
  it('takes an input as the output, and leaves it as it was', async () => {
    const x = leaf([1, 2]);
    reversed(x, x).sum().backward();
    expect([await values(x.grad), x.node]).toEqual([[-1, -1], null]);
    const [weight, input] = [leaf([3]), tensor([1, 2])];
    const y = record('by the weight', [input, weight], input, [], (g) => [null, g.sum(0, true)]);
    y.sum().backward();
    expect([await values(weight.grad), input.requiresGrad]).toEqual([[2], false]);
  });
  it('passes over how its output was computed, and frees what that had saved', async () => {
    const x = leaf([1, 2]);
    const before = cpu().memory.liveBuffers;
    scope(() => reversed(x, x.exp().square()).sum().backward());
    expect(await values(x.grad)).toEqual([-1, -1]);
    x.zeroGrad();
    expect(cpu().memory.liveBuffers).toBe(before);
  });
  it('refuses gradients that are left out or not float32', () => {
    const [x, z] = [leaf([1]), leaf([2])];
    const product = (gradients: (g: Tensor) => Tensor[]) => record('product', [x, z], tensor([2]), [], gradients);
    expect(() => product((g) => [g]).backward()).toThrow(
      'product: its backward pass must return a gradient or null for each input: expected 2, got 1',
    );
    expect(() => product((g) => [g.to('bfloat16'), g]).backward()).toThrow(
      'product: the gradient of input 0 must be float32, whatever the input is stored as; got bfloat16',
    );
  });
});

describe('memory', () => {
  it('of the gradient of a tensor in many pieces is that of the tensor once', async () => {
    const { memory } = cpu();
    const x = leaf(Array.from({ length: 4000 }, (_, i) => i));
    const y = scope(() => cat(x.mul(1).split(10)).sum());
    memory.resetPeak();
    const before = memory.liveBytes;
    y.backward();
    // of the sum, of the pieces, of x: the pieces' gradients add up in place
    expect(memory.peakBytes - before).toBeLessThan(2.5 * x.byteLength);
    expect((await values(x.grad)).every((g) => g === 1)).toBe(true);
  });
  it('is free again after a step, whatever the graph', async () => {
    const x = leaf([1, 2, 3]);
    const before = cpu().memory.liveBytes;
    const loss = scope(() => x.exp().mul(x.sigmoid()).add(x.tanh()).softmax().log().sum());
    loss.backward();
    loss.dispose();
    expect(cpu().memory.liveBytes - before).toBe(x.grad!.byteLength);
    x.zeroGrad();
    expect(cpu().memory.liveBytes).toBe(before);
  });
  it('is free again where an operation gives a gradient that nobody wants', () => {
    const { memory } = cpu();
    const before = memory.liveBytes;
    const [x, frozen] = [leaf([1, 2]), tensor([3, 4])];
    const y = record('sum of both', [x, frozen], x.detach(), [], (g) => [g, g.clone()]);
    const g = tensor([1, 1]);
    y.backward(g);
    x.zeroGrad();
    for (const used of [x, frozen, y, g]) used.dispose();
    expect(memory.liveBytes).toBe(before);
  });
  it('is free again when a graph is dropped without a backward pass', () => {
    const x = leaf([1, 2, 3]);
    const before = cpu().memory.liveBytes;
    scope(() => void x.exp().mul(x).exp());
    expect(cpu().memory.liveBytes).toBe(before);
  });
  it('is free again when the backward pass throws', () => {
    const x = leaf([1, 2]);
    const y = x.exp();
    const z = y.exp().mul(y);
    x.touch('test');
    y.storage.version++;
    const before = cpu().memory.liveBytes;
    expect(() => z.sum().backward()).toThrow('changed in place');
    expect(cpu().memory.liveBytes).toBeLessThanOrEqual(before + 8);
  });
  it('is free again where there is no room to widen what is read', async () => {
    const { memory } = cpu();
    const before = memory.liveBuffers;
    const half = tensor([1, 2], undefined, { dtype: 'float16' });
    memory.budget = memory.liveBytes;
    try {
      await expect(half.data()).rejects.toThrow(MemoryError);
    } finally {
      memory.budget = Number.POSITIVE_INFINITY;
    }
    half.dispose();
    expect(memory.liveBuffers).toBe(before);
  });
  it('keeps a gradient that was added to in place where there is no room for another', () => {
    const { memory } = cpu();
    const [x, weight] = [leaf([1, 2]), tensor([[3, 4]], undefined, { requiresGrad: true })];
    linear(x, weight).backward();
    const seen = x.grad!.alias(); // the next gradient of x takes memory of its own, and their sum, too
    const y = linear(x, weight);
    memory.budget = memory.liveBytes + 4 + x.byteLength;
    try {
      expect(() => y.backward()).toThrow(MemoryError);
    } finally {
      memory.budget = Number.POSITIVE_INFINITY;
    }
    expect([weight.grad!.isDisposed, x.grad!.isDisposed]).toEqual([false, false]);
    for (const tensor of [seen, x, y, weight]) tensor.dispose();
  });
  it.each<[string, number, (x: Tensor, z: Tensor) => Tensor]>([
    ['the first leaf', 0, (x, z) => x.add(z)],
    ['the second leaf', 1, (x, z) => x.add(z)],
    ['the output', 0, (x) => x],
  ])('is free again where there is no room for the gradient of %s', (_, room, run) => {
    const { memory } = cpu();
    const [x, z] = [leaf([1, 2]), leaf([3, 4])];
    const y = run(x, z);
    const g = tensor([1, 1]);
    const before = memory.liveBuffers;
    memory.budget = memory.liveBytes + room * g.byteLength;
    try {
      expect(() => y.backward(g)).toThrow(MemoryError);
    } finally {
      memory.budget = Number.POSITIVE_INFINITY;
    }
    x.zeroGrad();
    g.dispose();
    y.dispose();
    expect(memory.liveBuffers).toBe(before - 2);
  });
});

describe('scope', () => {
  it('frees what is not returned, at any depth of arrays, maps and objects', () => {
    const before = cpu().memory.liveBuffers;
    const { list, map } = scope(() => {
      const kept = tensor([1]);
      tensor([2]);
      return { list: [kept], map: new Map([['a', tensor([3])]]) };
    });
    expect(cpu().memory.liveBuffers - before).toBe(2);
    list[0]!.dispose();
    map.get('a')!.dispose();
    expect(cpu().memory.liveBuffers).toBe(before);
  });
  it('hands results of an inner scope to the outer one', () => {
    const before = cpu().memory.liveBuffers;
    scope(() => void scope(() => tensor([1])));
    expect(cpu().memory.liveBuffers).toBe(before);
  });
  it('refuses an async body, and frees what it made', () => {
    const before = cpu().memory.liveBuffers;
    expect(() => scope(async () => tensor([1]))).toThrow('scope: the body must not be async');
    expect(cpu().memory.liveBuffers).toBe(before);
  });
  it('says who uses a tensor that was freed', () => {
    const x = tensor([1]);
    x.dispose();
    expect(() => x.exp()).toThrow('exp: a tensor of shape [1] is used after it was freed');
  });
});

describe('checkpoint', () => {
  it('gives the same gradients as the body itself, with the same dropout', async () => {
    const run = async (recompute: boolean) => {
      const rng = new Generator(5);
      const x = leaf(Array.from({ length: 64 }, (_, i) => i / 10));
      const weight = leaf([2]);
      const body = (h: Tensor) => dropout(h.mul(weight).tanh(), 0.5, rng).mul(h);
      const y = recompute ? checkpoint(body, x) : body(x);
      const after = dropout(y, 0.5, rng);
      after.sum().backward();
      return [await values(after), await values(x.grad), await values(weight.grad)];
    };
    expect(await run(true)).toEqual(await run(false));
  });
  it('trains parameters behind inputs that need no gradient', async () => {
    const weight = leaf([2]);
    checkpoint((h) => h.mul(weight), tensor([3])).backward();
    expect(await values(weight.grad)).toEqual([3]);
  });
  it('repeats the draws of one inside another', async () => {
    const run = async (again: typeof checkpoint) => {
      const rng = new Generator(5);
      const x = leaf(Array.from({ length: 64 }, (_, i) => i / 10));
      const drop = (h: Tensor) => dropout(h.mul(h), 0.5, rng);
      const y = again((h: Tensor) => drop(again(drop, h)), x);
      y.sum().backward();
      return [await values(x.grad), rng.state];
    };
    expect(await run(checkpoint)).toEqual(await run((body, ...inputs) => body(...inputs)));
  });
  it('leaves alone what a body gives back unchanged', async () => {
    const x = leaf([1, 2]);
    const before = cpu().memory.liveBuffers;
    const y = checkpoint((h) => dropout(h, 0, new Generator(1)), x);
    y.sum().backward();
    y.dispose();
    expect([await values(x), await values(x.grad)]).toEqual([
      [1, 2],
      [1, 1],
    ]);
    x.zeroGrad();
    expect(cpu().memory.liveBuffers - before).toBe(1); // the sum
  });
  it('holds nothing where the backward pass throws half-way', () => {
    const x = leaf([1, 2]);
    const before = cpu().memory.liveBytes;
    const failing = (h: Tensor) =>
      record('failing', [h], h.clone(), [], () => {
        throw new Error('no room');
      });
    const y = scope(() => checkpoint((h) => failing(h).add(h.mul(2)), x).sum());
    expect(() => y.backward()).toThrow('no room');
    y.dispose();
    expect(cpu().memory.liveBytes).toBe(before);
  });
  it('holds no buffer once its result is gone', () => {
    const [x, weight] = [tensor([3]), leaf([2])];
    const before = cpu().memory.liveBuffers;
    checkpoint((h) => h.mul(weight), x).dispose();
    expect(cpu().memory.liveBuffers).toBe(before);
  });
  it('keeps its inputs only, until the backward pass', () => {
    const x = leaf(new Array(1000).fill(0.5));
    const held = (body: () => Tensor) => {
      const before = cpu().memory.liveBytes;
      const y = scope(body);
      const bytes = cpu().memory.liveBytes - before;
      y.dispose();
      return bytes;
    };
    const chain = (h: Tensor) => h.exp().tanh().sigmoid().square();
    expect(held(() => chain(x))).toBeGreaterThanOrEqual(4 * 4000);
    expect(held(() => checkpoint(chain, x))).toBe(4000);
  });
});
