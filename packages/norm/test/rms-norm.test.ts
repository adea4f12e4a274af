import { RmsNorm, rmsNorm } from '@burin/norm';
import { ones, tensor, zeros } from '@burin/tensor';
import {
  checkGradient,
  devices,
  expectClose,
  expectFixture,
  FLOAT32,
  fixtureTensor,
  readFixture,
  seededRandom,
} from '@burin/testing';
import * as reference from '@burin/testing/reference';
import { describe, expect, it } from 'vitest';

/** The rows of `x`, and with them the reference's result. */
function expected(x: Float64Array, weight: Float64Array | null, cols: number, eps: number): Float64Array {
  const y = new Float64Array(x.length);
  reference.rmsNorm(x, weight, y, new Float64Array(x.length / cols), x.length / cols, cols, eps);
  return y;
}

describe.each(devices)('rmsNorm on %s', (device) => {
  // golden, by hand: mean(3², 4²) = 12.5, so y = x / 3.5355339 · weight
  it('divides by the root mean square, then scales', async () => {
    const y = rmsNorm(tensor([3, 4], [1, 2], { device }), tensor([1, 2], [2], { device }));
    expectClose(await y.data(), [0.8485281, 2.2627417], FLOAT32);
    expect(y.shape).toEqual([1, 2]);
  });

  it('adds epsilon to the mean of squares, not to its root', async () => {
    const y = rmsNorm(tensor([3, 4], [1, 2], { device }), null, { eps: 12.5 });
    expectClose(await y.data(), [3 / 5, 4 / 5], FLOAT32); // 12.5 + 12.5 = 5²
  });

  it('has an epsilon of 1e-6 unless told otherwise', async () => {
    const x = tensor([-1e-3, 1e-3], [1, 2], { device }); // a mean of squares as large as epsilon
    for (const y of [rmsNorm(x), new RmsNorm(2).forward(x)]) {
      expectClose(await y.data(), [-Math.SQRT1_2, Math.SQRT1_2], FLOAT32);
    }
  });

  it.each([
    [[3, 5], 0.1],
    [[2, 3, 7], 1e-6],
    [[1, 1, 1], 0.5],
    [[2, 131], 1e-5],
  ])('has the values and gradients of the reference for %j', async (shape, eps) => {
    const cols = shape.at(-1)!;
    await checkGradient({
      device,
      shapes: [shape, [cols]],
      run: ([x, weight]) => rmsNorm(x!, weight!, { eps }),
      reference: ([x, weight]) => expected(x!, weight!, cols, eps),
    });
    await checkGradient({
      device,
      shapes: [shape],
      run: ([x]) => rmsNorm(x!, null, { eps }),
      reference: ([x]) => expected(x!, null, cols, eps),
    });
  });

  it.each(['rmsnorm_eps1e-5', 'rmsnorm_eps1e-6'])('agrees with transformers: %s', async (name) => {
    const fixture = readFixture('norm', name);
    const norm = new RmsNorm(fixture.shape('weight')[0]!, { eps: fixture.number('eps') });
    norm.weight.copy_(fixtureTensor(fixture, 'weight', { device }));
    const x = fixtureTensor(fixture, 'x', { device, requiresGrad: true });
    const y = norm.forward(x);
    y.backward(fixtureTensor(fixture, 'd_out', { device }));
    await expectFixture(fixture, 'out', y);
    await expectFixture(fixture, 'grad.x', x.grad);
    await expectFixture(fixture, 'grad.weight', norm.weight.grad);
  });

  it('does not change when its input is scaled', async () => {
    const x = tensor(seededRandom(3).normal(5 * 9), [5, 9], { device });
    const one = rmsNorm(x, null, { eps: 1e-12 });
    const eight = rmsNorm(x.mul(8), null, { eps: 1e-12 });
    expectClose(await eight.data(), await one.data(), FLOAT32);
  });

  it('gives zeros for zeros and keeps NaN in its row', async () => {
    const y = await rmsNorm(tensor([0, 0, NaN, 1, 3, 4], [3, 2], { device })).data();
    expectClose(y, [0, 0, NaN, NaN, 0.8485281, 1.1313708], FLOAT32);
  });

  it('reads half-precision input and weight, and gives them gradients', async () => {
    const x = tensor([3, 4], [1, 2], { device, dtype: 'bfloat16', requiresGrad: true });
    const weight = tensor([1, 2], [2], { device, dtype: 'float16', requiresGrad: true });
    const y = rmsNorm(x, weight);
    expect(y.dtype).toBe('float32');
    expectClose(await y.data(), [0.8485281, 2.2627417], FLOAT32);
    y.sum().backward();
    expectClose(await weight.grad!.data(), [0.8485281, 1.1313708], FLOAT32);
    expect(x.grad!.shape).toEqual([1, 2]);
  });

  it('adds to a gradient that is there, and leaves a frozen weight alone', async () => {
    const norm = new RmsNorm(2);
    const x = tensor([3, 4], [1, 2], { device, requiresGrad: true });
    for (let pass = 0; pass < 2; pass++) norm.forward(x).sum().backward();
    expectClose(await norm.weight.grad!.data(), [2 * 0.8485281, 2 * 1.1313708], FLOAT32);
    norm.requiresGrad_(false).zeroGrad();
    norm.forward(x).sum().backward();
    expect(norm.weight.grad).toBeNull();
  });

  it('frees what it does not return', () => {
    const x = tensor([3, 4], [1, 2], { device, requiresGrad: true });
    const weight = ones([2], { device, requiresGrad: true });
    const { memory } = x.device;
    const before = memory.liveBuffers;
    const y = rmsNorm(x, weight);
    const g = ones([1, 2], { device });
    y.backward(g);
    for (const used of [y, g, x.grad!, weight.grad!]) used.dispose();
    expect(memory.liveBuffers).toBe(before);
  });
});

describe('rmsNorm refuses', () => {
  it('a weight of another length, naming both shapes', () => {
    expect(() => rmsNorm(zeros([1, 3]), zeros([2]))).toThrow(
      "rmsNorm: weight must have the length of x's last axis: expected [3], got [2] (x is [1,3])",
    );
    expect(() => rmsNorm(zeros([2, 3]), zeros([3, 1]))).toThrow('expected [3], got [3,1]');
  });

  it('an epsilon that is not positive, and x without a last axis', () => {
    expect(() => rmsNorm(zeros([1, 3]), null, { eps: 0 })).toThrow('rmsNorm: eps must be greater than 0, got 0');
    expect(() => new RmsNorm(3, { eps: Number.NaN })).toThrow('RmsNorm: eps must be greater than 0, got NaN');
    expect(() => rmsNorm(zeros([]))).toThrow('x must have a last axis to normalise: expected [..., C], got []');
    expect(() => rmsNorm(zeros([3, 0]))).toThrow('expected [..., C], got [3,0]');
    expect(() => new RmsNorm(2.5)).toThrow('RmsNorm: width must be a whole number of 1 or more, got 2.5');
  });

  it('options without a name, as PyTorch takes eps, and those that are none', () => {
    expect(() => new RmsNorm(3, 1e-5 as never)).toThrow('RmsNorm: options have names: expected { eps }, got 0.00001');
    expect(() => rmsNorm(zeros([1, 3]), null, { epsilon: 1e-5 } as object)).toThrow(
      'rmsNorm: there is no option epsilon; expected eps',
    );
  });

  it('a tensor that is not floating-point', () => {
    expect(() => rmsNorm(tensor(new Int32Array(4), [2, 2]))).toThrow('rmsNorm: a floating-point tensor is expected');
  });
});
