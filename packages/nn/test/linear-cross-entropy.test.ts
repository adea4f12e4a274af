import { crossEntropy, linearCrossEntropy } from '@burin/nn';
import { cpu, Generator, linear, noGrad, randn, scope, type Tensor, tensor } from '@burin/tensor';
import { checkGradient, EXACT, expectClose, GRADIENT } from '@burin/testing';
import { describe, expect, it } from 'vitest';

const LABELS = [2, -100, 0, 4, 4, -100, 1];
const labels = () => tensor(Int32Array.from(LABELS));

/** Mean over the rows that count of lse − logit of the label, in float64. */
function reference(x: Float64Array, weight: Float64Array, width: number, classes: number, bias?: Float64Array): number {
  let sum = 0;
  let counted = 0;
  for (const [row, label] of LABELS.entries()) {
    if (label < 0) continue;
    const logit = (c: number) => {
      let dot = bias?.[c] ?? 0;
      for (let k = 0; k < width; k++) dot += x[row * width + k]! * weight[c * width + k]!;
      return dot;
    };
    const all = Array.from({ length: classes }, (_, c) => logit(c));
    sum += Math.log(all.reduce((total, value) => total + Math.exp(value), 0)) - all[label]!;
    counted++;
  }
  return sum / counted;
}

describe('linearCrossEntropy', () => {
  it.each([1, 2, 3, 7, 64])(
    'has the loss and the gradients of the reference in blocks of %s rows',
    async (blockRows) => {
      await checkGradient({
        shapes: [
          [7, 3],
          [5, 3],
        ],
        run: ([x, weight]) => linearCrossEntropy(x!, weight!, labels(), { blockRows }),
        reference: ([x, weight]) => [reference(x!, weight!, 3, 5)],
      });
    },
  );

  it.each([1, 3, 64])('adds a bias, in blocks of %s rows', async (blockRows) => {
    await checkGradient({
      shapes: [[7, 3], [5, 3], [5]],
      run: ([x, weight, bias]) => linearCrossEntropy(x!, weight!, labels(), { bias: bias!, blockRows }),
      reference: ([x, weight, bias]) => [reference(x!, weight!, 3, 5, bias!)],
    });
  });

  it('equals cross entropy of a linear, also where gradients are there already and one operand is frozen', async () => {
    const rng = new Generator(3);
    const x = randn([7, 3], { rng });
    const weight = randn([5, 3], { rng });
    const gradients = async (loss: (x: Tensor) => Tensor) => {
      for (const leaf of [x, weight]) leaf.zeroGrad();
      x.requiresGrad = false;
      weight.requiresGrad = true;
      for (let pass = 0; pass < 2; pass++) scope(() => loss(x).mul(3).backward());
      expect(x.grad).toBeNull();
      return weight.grad!.data();
    };
    const separate = await gradients((x) => crossEntropy(linear(x, weight), labels(), { reduction: 'sum' }));
    const together = await gradients((x) =>
      linearCrossEntropy(x, weight, labels(), { reduction: 'sum', blockRows: 2 }),
    );
    expectClose(together, separate, GRADIENT);
  });

  it('never holds the logits', () => {
    const rng = new Generator(3);
    const [rows, width, classes] = [512, 8, 4096];
    const x = randn([rows, width], { rng });
    const weight = randn([classes, width], { rng });
    const many = tensor(Int32Array.from({ length: rows }, (_, row) => row));
    const peakOf = (body: () => Tensor) => {
      const before = cpu().memory.liveBytes;
      cpu().memory.resetPeak();
      scope(() => void noGrad(body));
      return cpu().memory.peakBytes - before;
    };
    const logits = 4 * rows * classes;
    expect(peakOf(() => crossEntropy(linear(x, weight), many))).toBeGreaterThan(logits);
    expect(peakOf(() => linearCrossEntropy(x, weight, many, { blockRows: 32 }))).toBeLessThan(logits / 8);
  });

  it('is NaN as a mean over no label at all, and its gradients are zeros, as PyTorch’s', async () => {
    const operands = [tensor([[1, 2]]), tensor([[1, 2]]), tensor([3])];
    for (const operand of operands) operand.requiresGrad = true;
    const [x, weight, bias] = operands as [Tensor, Tensor, Tensor];
    const none = linearCrossEntropy(x, weight, tensor(Int32Array.of(-100)), { bias });
    none.backward();
    expect(await none.item()).toBeNaN();
    for (const { grad, size } of operands) expectClose(await grad!.data(), new Float32Array(size), EXACT);
  });

  it('says what does not fit', () => {
    const x = tensor([[1, 2]]);
    const weight = tensor([[1, 2]]);
    const label = tensor(Int32Array.of(0));
    const blocks = (blockRows: number) => () => linearCrossEntropy(x, weight, label, { blockRows });
    expect(blocks(0)).toThrow(
      new RangeError('linearCrossEntropy: blockRows must be a whole number of 1 or more, got 0'),
    );
    expect(blocks(1.5)).toThrow('got 1.5');
    expect(() => linearCrossEntropy(x, weight.to('int32'), label)).toThrow(
      "linearCrossEntropy: a floating-point tensor is expected, got int32; convert it with .to('float32')",
    );
    expect(() => linearCrossEntropy(x, weight, label, { ignoreIndex: 0.5 })).toThrow(
      'linearCrossEntropy: ignoreIndex must be a whole number that int32 holds, got 0.5',
    );
    expect(() => linearCrossEntropy(x, weight, label, { labelSmoothing: 0.1 } as object)).toThrow(
      'there is no option labelSmoothing; expected bias, ignoreIndex, reduction, blockRows',
    );
    expect(() => linearCrossEntropy(x, weight, label, { reduction: 'none' } as object)).toThrow(
      'linearCrossEntropy: reduction must be mean or sum, got none',
    );
    expect(() => linearCrossEntropy(x, tensor([[1]]), tensor(Int32Array.of(0)))).toThrow('expected [V, 2], got [1,1]');
    expect(() => linearCrossEntropy(x, weight, tensor(Int32Array.of(0, 0)))).toThrow('expected [1], got [2]');
    const bias = tensor([1, 2]);
    expect(() => linearCrossEntropy(x, weight, tensor(Int32Array.of(0)), { bias })).toThrow(
      'bias must have a number for each row of weight: expected [1], got [2]',
    );
    expect(() => linearCrossEntropy(x, weight, tensor([0]))).toThrow(
      "labels must be int32, got float32; convert them with .to('int32')",
    );
  });
});
