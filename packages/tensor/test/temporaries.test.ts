import { cpu, linear, matmul, maximum, noGrad, pow, softmax, stack, type Tensor, tensor, where } from '@burin/tensor';
import { describe, expect, it } from 'vitest';

const x = tensor([
  [1, 2, 3],
  [4, 5, 6],
]);
const half = x.to('bfloat16');
const condition = tensor(new Uint8Array([1, 0, 1]));
const row = tensor([1, 2, 3]);

const operations: Record<string, () => Tensor> = {
  mean: () => x.mean(),
  'sum over two runs of axes': () => x.reshape([1, 2, 1, 3]).sum([0, 2]),
  'amax over the first axis': () => x.amax(0),
  'softmax over the first axis': () => softmax(x, 0),
  'product with a vector': () => matmul(x, row),
  'product of a vector': () => matmul(tensor([1, 2]).reshape([2]), x),
  'product of stored float16': () => matmul(half, x, { transposeB: true }),
  'linear of stored float16': () => linear(half, half),
  'where with numbers': () => where(condition, x, 0),
  maskedFill: () => x.maskedFill(condition, 7),
  'number to a power': () => pow(2, x),
  'number minus tensor': () => x.neg().add(1),
  stack: () => stack([row, row]),
  'exp of stored float16': () => half.exp(),
  'maximum of stored float16': () => maximum(half, x),
  sign: () => x.sign(),
};

describe('an operation outside every scope leaves its result and nothing else', () => {
  it.each(Object.entries(operations))('%s', (_, run) => {
    const views = { 'sum over two runs of axes': 1, 'product of a vector': 1, 'number minus tensor': 1 };
    const before = cpu().memory.liveBuffers;
    const y = noGrad(run);
    const own = _ in views ? views[_ as keyof typeof views] : 0; // made by the test itself
    expect(cpu().memory.liveBuffers - before).toBeLessThanOrEqual(1 + own);
    y.dispose();
    expect(cpu().memory.liveBuffers - before).toBeLessThanOrEqual(own);
  });
});
