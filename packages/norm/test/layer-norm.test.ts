import { LayerNorm, layerNorm } from '@burin/norm';
import { tensor, zeros } from '@burin/tensor';
import {
  checkGradient,
  devices,
  expectClose,
  expectFixture,
  FLOAT32,
  fixtureTensor,
  readFixture,
} from '@burin/testing';
import * as reference from '@burin/testing/reference';
import { describe, expect, it } from 'vitest';

function expected(
  x: Float64Array,
  weight: Float64Array | null,
  bias: Float64Array | null,
  cols: number,
  eps: number,
): Float64Array {
  const rows = x.length / cols;
  const y = new Float64Array(x.length);
  reference.layerNorm(x, weight, bias, y, new Float64Array(rows), new Float64Array(rows), rows, cols, eps);
  return y;
}

describe.each(devices)('layerNorm on %s', (device) => {
  // golden, by hand: mean 4, variance ((−2)² + 0 + 2²) / 3 = 8/3, so n = ∓1.2247449
  it('gives mean 0 and variance 1, then scales and shifts', async () => {
    const [x, weight, bias] = [
      tensor([2, 4, 6], [1, 3], { device }),
      tensor([1, 1, 2], [3], { device }),
      tensor([0, 1, 10], [3], { device }),
    ];
    expectClose(await layerNorm(x, weight, bias, { eps: 1e-12 }).data(), [-1.2247449, 1, 12.4494897], FLOAT32);
  });

  it('adds epsilon to the variance, not to its root', async () => {
    const y = layerNorm(tensor([-1, 1], [1, 2], { device }), null, null, { eps: 3 });
    expectClose(await y.data(), [-0.5, 0.5], FLOAT32); // 1 + 3 = 2²
  });

  it.each([
    [[3, 5], 0.1],
    [[2, 3, 7], 1e-5],
    [[2, 131], 1e-5],
  ])('has the values and gradients of the reference for %j', async (shape, eps) => {
    const cols = shape.at(-1)!;
    await checkGradient({
      device,
      shapes: [shape, [cols], [cols]],
      run: ([x, weight, bias]) => layerNorm(x!, weight!, bias!, { eps }),
      reference: ([x, weight, bias]) => expected(x!, weight!, bias!, cols, eps),
    });
    await checkGradient({
      device,
      shapes: [shape, [cols]],
      run: ([x, weight]) => layerNorm(x!, weight!, null, { eps }),
      reference: ([x, weight]) => expected(x!, weight!, null, cols, eps),
    });
    await checkGradient({
      device,
      shapes: [shape, [cols]],
      run: ([x, bias]) => layerNorm(x!, null, bias!, { eps }),
      reference: ([x, bias]) => expected(x!, null, bias!, cols, eps),
    });
  });

  it.each(['layernorm_eps1e-5', 'layernorm_eps1e-12'])('agrees with PyTorch: %s', async (name) => {
    const fixture = readFixture('norm', name);
    const norm = new LayerNorm(fixture.shape('weight')[0]!, { eps: fixture.number('eps') });
    norm.weight.copy_(fixtureTensor(fixture, 'weight', { device }));
    norm.bias!.copy_(fixtureTensor(fixture, 'bias', { device }));
    const x = fixtureTensor(fixture, 'x', { device, requiresGrad: true });
    const y = norm.forward(x);
    y.backward(fixtureTensor(fixture, 'd_out', { device }));
    await expectFixture(fixture, 'out', y);
    await expectFixture(fixture, 'grad.x', x.grad);
    await expectFixture(fixture, 'grad.weight', norm.weight.grad);
    await expectFixture(fixture, 'grad.bias', norm.bias!.grad);
  });

  it('does not lose the variance beside a large mean', async () => {
    const y = layerNorm(tensor([4095, 4096, 4097], [1, 3], { device }), null, null, { eps: 1e-12 });
    expectClose(await y.data(), [-1.2247449, 0, 1.2247449], FLOAT32);
  });

  it('gives the bias for a row of equal numbers, and keeps NaN in its row', async () => {
    const bias = tensor([5, 6], [2], { device });
    const y = layerNorm(tensor([7, 7, NaN, 1], [2, 2], { device }), null, bias);
    expectClose(await y.data(), [5, 6, NaN, NaN], FLOAT32);
  });

  it('adds to gradients that are there, each to its own, and leaves a frozen weight alone', async () => {
    const norm = new LayerNorm(2, { eps: 3 });
    const x = tensor([-1, 1], [1, 2], { device }); // 1 + 3 = 2², so n = ∓0.5
    for (let pass = 0; pass < 2; pass++) norm.forward(x).sum().backward();
    expectClose(await norm.weight.grad!.data(), [-1, 1], FLOAT32);
    expectClose(await norm.bias!.grad!.data(), [2, 2], FLOAT32);
    norm.zeroGrad();
    norm.weight.requiresGrad = false;
    for (let pass = 0; pass < 2; pass++) norm.forward(x).sum().backward();
    expect(norm.weight.grad).toBeNull();
    expectClose(await norm.bias!.grad!.data(), [2, 2], FLOAT32);
  });

  it('has an epsilon of 1e-5 unless told otherwise', async () => {
    const tiny = Math.sqrt(1e-5); // a variance as large as epsilon
    const x = tensor([-tiny, tiny], [1, 2], { device });
    for (const y of [layerNorm(x), new LayerNorm(2).forward(x)]) {
      expectClose(await y.data(), [-Math.SQRT1_2, Math.SQRT1_2], FLOAT32);
    }
  });

  it('trains without a bias', async () => {
    const norm = new LayerNorm(3, { bias: false });
    expect([...norm.namedParameters()].map(([name]) => name)).toEqual(['weight']);
    norm
      .forward(tensor([2, 4, 6], [1, 3], { device }))
      .sum()
      .backward();
    expectClose(await norm.weight.grad!.data(), [-1.2247449, 0, 1.2247449], { rtol: 1e-5, atol: 1e-6 }); // eps 1e-5
  });
});

describe('layerNorm refuses', () => {
  it('scales and shifts of another length, by their names', () => {
    expect(() => layerNorm(zeros([1, 3]), zeros([2]))).toThrow('layerNorm: weight must have the length');
    expect(() => layerNorm(zeros([1, 3]), null, zeros([4]))).toThrow(
      "layerNorm: bias must have the length of x's last axis: expected [3], got [4] (x is [1,3])",
    );
  });

  it('an epsilon that is not positive', () => {
    expect(() => layerNorm(zeros([1, 3]), null, null, { eps: -1 })).toThrow(
      'layerNorm: eps must be greater than 0, got -1',
    );
    expect(() => new LayerNorm(0)).toThrow('LayerNorm: width must be a whole number of 1 or more, got 0');
  });

  it('options without a name, as PyTorch takes eps, and those that are none', () => {
    expect(() => new LayerNorm(3, 1e-3 as never)).toThrow(
      new TypeError('LayerNorm: options have names: expected { eps, bias }, got 0.001'),
    );
    expect(() => new LayerNorm(3, { elementwiseAffine: false } as object)).toThrow(
      'LayerNorm: there is no option elementwiseAffine; expected eps, bias',
    );
    expect(() => layerNorm(zeros([1, 3]), null, null, 1e-3 as never)).toThrow('layerNorm: options have names');
  });
});
