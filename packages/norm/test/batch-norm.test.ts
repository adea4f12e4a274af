import { BatchNorm } from '@burin/norm';
import { tensor, zeros } from '@burin/tensor';
import {
  checkGradient,
  devices,
  EXACT,
  expectClose,
  expectFixture,
  FLOAT32,
  fixtureTensor,
  readFixture,
} from '@burin/testing';
import * as reference from '@burin/testing/reference';
import { describe, expect, it } from 'vitest';

const [BATCH, CHANNELS, LENGTH] = [3, 2, 4];

function expected(x: Float64Array, weight: Float64Array, bias: Float64Array, batchMoments: boolean): Float64Array {
  const [mean, variance] = [new Float64Array(CHANNELS), new Float64Array(CHANNELS).fill(1)];
  if (batchMoments) reference.channelMoments(x, mean, variance, BATCH, CHANNELS, LENGTH);
  const y = new Float64Array(x.length);
  reference.channelNorm(x, mean, variance, weight, bias, y, BATCH, CHANNELS, LENGTH, 0.1);
  return y;
}

describe.each(devices)('BatchNorm on %s', (device) => {
  // golden, by hand: batch mean 2, biased variance 1, unbiased 2
  it('normalises by the biased variance and tracks the unbiased one', async () => {
    const norm = new BatchNorm(1, { eps: 3, momentum: 0.25 });
    const y = norm.forward(tensor([1, 3], [2, 1], { device }));
    expectClose(await y.data(), [-0.5, 0.5], FLOAT32); // 1 + 3 = 2²
    expectClose(await norm.runningMean.data(), [0.5], FLOAT32); // 0.75 · 0 + 0.25 · 2
    expectClose(await norm.runningVar.data(), [1.25], FLOAT32); // 0.75 · 1 + 0.25 · 2
    expectClose(await norm.numBatchesTracked.data(), [1], EXACT);
  });

  it.each([true, false])('has the values and gradients of the reference, training: %s', async (training) => {
    await checkGradient({
      device,
      shapes: [[BATCH, CHANNELS, LENGTH], [CHANNELS], [CHANNELS]],
      run: ([x, weight, bias]) => {
        const norm = new BatchNorm(CHANNELS, { eps: 0.1 }).train(training);
        return Object.assign(norm, { weight, bias }).forward(x!);
      },
      reference: ([x, weight, bias]) => expected(x!, weight!, bias!, training),
    });
  });

  it.each(['batchnorm1d_2d', 'batchnorm1d_3d'])('agrees with PyTorch: %s', async (name) => {
    const fixture = readFixture('norm', name);
    const norm = new BatchNorm(fixture.number('channels'), {
      eps: fixture.number('eps'),
      momentum: fixture.number('momentum'),
    });
    norm.weight.copy_(fixtureTensor(fixture, 'weight', { device }));
    norm.bias.copy_(fixtureTensor(fixture, 'bias', { device }));
    norm.runningMean.copy_(fixtureTensor(fixture, 'running_mean_init', { device }));
    norm.runningVar.copy_(fixtureTensor(fixture, 'running_var_init', { device }));
    const gradient = fixtureTensor(fixture, 'd_out', { device });

    const batches = fixture.number('train_batches');
    for (let i = 0; i < batches; i++) {
      const x = fixtureTensor(fixture, `x.${i}`, { device, requiresGrad: true });
      const y = norm.forward(x);
      await expectFixture(fixture, `train_out.${i}`, y);
      await expectFixture(fixture, `running_mean.${i}`, norm.runningMean);
      await expectFixture(fixture, `running_var.${i}`, norm.runningVar);
      if (i < batches - 1) continue;
      y.backward(gradient);
      await expectFixture(fixture, 'grad.train.x', x.grad);
      await expectFixture(fixture, 'grad.train.weight', norm.weight.grad);
      await expectFixture(fixture, 'grad.train.bias', norm.bias.grad);
    }
    expect(await norm.numBatchesTracked.item()).toBe(fixture.manifest.expected_values!.num_batches_tracked);

    norm.eval().zeroGrad();
    const x = fixtureTensor(fixture, 'x_eval', { device, requiresGrad: true });
    const y = norm.forward(x);
    y.backward(gradient);
    await expectFixture(fixture, 'eval_out', y);
    await expectFixture(fixture, 'grad.eval.x', x.grad);
    await expectFixture(fixture, 'grad.eval.weight', norm.weight.grad);
    await expectFixture(fixture, 'grad.eval.bias', norm.bias.grad);
  });

  it('changes nothing in evaluation mode', async () => {
    const norm = new BatchNorm(1, { eps: 3 }).eval();
    expectClose(await norm.forward(tensor([2, 4], [2, 1], { device })).data(), [1, 2], FLOAT32); // x / √(1 + 3)
    expectClose(await norm.runningMean.data(), [0], EXACT);
    expectClose(await norm.numBatchesTracked.data(), [0], EXACT);
  });

  it('names its statistics as checkpoints do', () => {
    expect([...new BatchNorm(2).namedBuffers()].map(([name]) => name)).toEqual([
      'running_mean',
      'running_var',
      'num_batches_tracked',
    ]);
  });
});

describe('BatchNorm refuses', () => {
  it('shapes that are not [N, C] or [N, C, L]', () => {
    expect(() => new BatchNorm(2).forward(zeros([3, 4]))).toThrow(
      'BatchNorm: x must be [N, C] or [N, C, L] with C = 2, got [3,4]',
    );
    expect(() => new BatchNorm(2).forward(zeros([2]))).toThrow('got [2]');
    expect(() => new BatchNorm(2).forward(zeros([1, 2, 3, 4]))).toThrow('got [1,2,3,4]');
  });

  it('a training batch with one value a channel, which has no variance', () => {
    const norm = new BatchNorm(2);
    expect(() => norm.forward(zeros([1, 2]))).toThrow(
      'BatchNorm: training needs at least 2 values a channel for a variance, got 1 (x is [1,2]); ' +
        'use a larger batch, or call eval() first',
    );
    expect(norm.eval().forward(zeros([1, 2])).shape).toEqual([1, 2]);
  });

  it('options out of range', () => {
    expect(() => new BatchNorm(2, { momentum: 1.5 })).toThrow('BatchNorm: momentum must be from 0 to 1, got 1.5');
    expect(() => new BatchNorm(2, { momentum: null as unknown as number })).toThrow('from 0 to 1, got null');
    expect(() => new BatchNorm(2, { affine: false } as object)).toThrow(
      'BatchNorm: there is no option affine; expected eps, momentum',
    );
    expect(() => new BatchNorm(2, { eps: 0 })).toThrow('BatchNorm: eps must be greater than 0, got 0');
    expect(() => new BatchNorm(0)).toThrow('BatchNorm: channels must be a whole number of 1 or more, got 0');
  });
});
