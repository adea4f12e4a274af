import { crossEntropy, linearCrossEntropy } from '@burin/nn';
import { cpu, Generator, linear, noGrad, randn, scope, type Tensor, tensor } from '@burin/tensor';
import { checkGradient, expectClose, GRADIENT } from '@burin/testing';
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

  it('gives NaN for no label at all, and says what does not fit', async () => {
    const x = tensor([[1, 2]]);
    const weight = tensor([[1, 2]]);
    const none = linearCrossEntropy(x, weight, tensor(Int32Array.of(-100)));
    expect(await none.item()).toBeNaN();
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
