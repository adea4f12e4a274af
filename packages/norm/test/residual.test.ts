import { Dropout, Module } from '@burin/nn';
import { LayerNorm, PostNormResidual, PreNormResidual } from '@burin/norm';
import { Generator, ones, type Tensor, tensor } from '@burin/tensor';
import { devices, EXACT, expectClose, FLOAT32 } from '@burin/testing';
import { describe, expect, it } from 'vitest';

/** `factor · x`: its second argument shows that it came through. */
class Times extends Module {
  forward(x: Tensor, factor: number): Tensor {
    return x.mul(factor);
  }
}

/** Keeps the order visible: a norm that adds 1. */
class AddOne extends Module {
  forward(x: Tensor): Tensor {
    return x.add(1);
  }
}

describe.each(devices)('residual wrappers on %s', (device) => {
  const x = () => tensor([1, 2], [1, 2], { device });

  it('normalise before the inner module: x + inner(norm(x))', async () => {
    const y = new PreNormResidual(new AddOne(), new Times()).forward(x(), 10);
    expectClose(await y.data(), [1 + 20, 2 + 30], EXACT);
  });

  it('normalise after the sum: norm(x + inner(x))', async () => {
    const y = new PostNormResidual(new AddOne(), new Times()).forward(x(), 10);
    expectClose(await y.data(), [12, 23], EXACT);
  });

  it('drop from the inner branch alone, in training alone', async () => {
    const dropout = new Dropout(0.5, new Generator(1));
    const wrapped = new PreNormResidual(new AddOne(), new Times(), dropout);
    const big = ones([64], { device });
    const trained = await wrapped.forward(big, 1).data();
    expect([...new Set(trained)].sort()).toEqual([1, 5]); // 1 + 0 or 1 + 2 · 2
    expect([...new Set(await wrapped.eval().forward(big, 1).data())]).toEqual([3]);
    const post = new PostNormResidual(new AddOne(), new Times(), new Dropout(0.5, new Generator(1)));
    expect([...new Set(await post.forward(big, 1).data())].sort()).toEqual([2, 4]);
  });

  it('name the parts `norm` and `inner`, and give both gradients', async () => {
    const wrapped = new PreNormResidual(new LayerNorm(2), new PostNormResidual(new LayerNorm(2), new AddOne()));
    expect([...wrapped.namedParameters()].map(([name]) => name)).toEqual([
      'norm.weight',
      'norm.bias',
      'inner.norm.weight',
      'inner.norm.bias',
    ]);
    wrapped.forward(x()).sum().backward();
    expectClose(await wrapped.getModule('inner.norm').parameters()[1]!.grad!.data(), [1, 1], FLOAT32);
    expect(wrapped.parameters().every((parameter) => parameter.grad)).toBe(true);
  });
});
