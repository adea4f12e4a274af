import { embedding, linear, matmul, tensor } from '@burin/tensor';
import { checkGradient } from '@burin/testing';
import { describe, expect, it } from 'vitest';

/** Product of one matrix of a batch, operands stored transposed or not. */
function product(
  a: Float64Array,
  b: Float64Array,
  m: number,
  k: number,
  n: number,
  tA: boolean,
  tB: boolean,
  aAt = 0,
  bAt = 0,
) {
  const out = new Float64Array(m * n);
  for (let i = 0; i < m; i++)
    for (let j = 0; j < n; j++)
      for (let p = 0; p < k; p++)
        out[i * n + j]! += a[aAt + (tA ? p * m + i : i * k + p)]! * b[bAt + (tB ? j * k + p : p * n + j)]!;
  return out;
}

describe('matmul', () => {
  it.each([
    [false, false],
    [false, true],
    [true, false],
    [true, true],
  ])('with transposeA %s and transposeB %s', async (transposeA, transposeB) => {
    const [m, k, n] = [3, 5, 7];
    await checkGradient({
      shapes: [transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]],
      run: ([a, b]) => matmul(a!, b!, { transposeA, transposeB }),
      reference: ([a, b]) => product(a!, b!, m, k, n, transposeA, transposeB),
    });
    await checkGradient({
      shapes: [transposeA ? [2, k, m] : [2, m, k], transposeB ? [2, n, k] : [2, k, n]],
      run: ([a, b]) => matmul(a!, b!, { transposeA, transposeB }),
      reference: ([a, b]) =>
        [0, 1].flatMap((z) => [...product(a!, b!, m, k, n, transposeA, transposeB, z * m * k, z * k * n)]),
    });
  });
  it('shares one matrix in a batch, on either side', async () => {
    const [m, k, n] = [3, 4, 5];
    await checkGradient({
      shapes: [
        [2, m, k],
        [k, n],
      ],
      run: ([a, b]) => matmul(a!, b!),
      reference: ([a, b]) => [0, 1].flatMap((z) => [...product(a!, b!, m, k, n, false, false, z * m * k, 0)]),
    });
    await checkGradient({
      shapes: [
        [m, k],
        [2, k, n],
      ],
      run: ([a, b]) => matmul(a!, b!),
      reference: ([a, b]) => [0, 1].flatMap((z) => [...product(a!, b!, m, k, n, false, false, 0, z * k * n)]),
    });
  });
  it('broadcasts leading axes and takes vectors', async () => {
    const [m, k, n] = [2, 3, 4];
    await checkGradient({
      shapes: [
        [2, 1, m, k],
        [3, k, n],
      ],
      run: ([a, b]) => matmul(a!, b!),
      reference: ([a, b]) =>
        [0, 1].flatMap((y) =>
          [0, 1, 2].flatMap((z) => [...product(a!, b!, m, k, n, false, false, y * m * k, z * k * n)]),
        ),
    });
    await checkGradient({
      shapes: [[k], [k, n]],
      run: ([a, b]) => matmul(a!, b!),
      reference: ([a, b]) => product(a!, b!, 1, k, n, false, false),
    });
    await checkGradient({
      shapes: [[k], [k]],
      run: ([a, b]) => matmul(a!, b!),
      reference: ([a, b]) => product(a!, b!, 1, k, 1, false, false),
    });
  });
  it('leaves out the axis that a vector was given', () => {
    const [vector, matrix] = [tensor([1, 2, 3]), tensor([[1, 2, 3]])];
    expect(matmul(vector, vector).shape).toEqual([]);
    expect(matmul(matrix, vector).shape).toEqual([1]);
    expect(matmul(vector, matrix, { transposeB: true }).shape).toEqual([1]);
  });
  it('names both lengths when they differ', () => {
    expect(() => matmul(tensor([[1, 2]]), tensor([[1, 2]]))).toThrow(
      'matmul: inner lengths must be equal: expected 2, got 1',
    );
  });
});

describe('linear', () => {
  it('adds the bias, and has gradients of input, weight and bias', async () => {
    await checkGradient({
      shapes: [[2, 3, 5], [4, 5], [4]],
      run: ([x, weight, bias]) => linear(x!, weight!, bias!),
      reference: ([x, weight, bias]) => product(x!, weight!, 6, 5, 4, false, true).map((v, i) => v + bias![i % 4]!),
    });
  });
  it('reads a bias that is stored as float16 or bfloat16, and gives it its gradient', async () => {
    for (const dtype of ['float16', 'bfloat16'] as const) {
      const bias = tensor([0.5, -2], [2], { dtype, requiresGrad: true }); // exact in both
      const y = linear(tensor([[3]]), tensor([[1], [2]]), bias);
      expect([...(await y.data())], dtype).toEqual([3.5, 4]);
      y.backward(tensor([[10, 20]]));
      expect([...(await bias.grad!.data())], dtype).toEqual([10, 20]);
    }
  });
  it('adds to a gradient that is there, used twice or over two passes', async () => {
    const weight = tensor([[1, 2]], undefined, { requiresGrad: true });
    const x = tensor([[3, 4]]);
    linear(linear(x, weight), tensor([[2]]))
      .add(linear(x, weight))
      .backward();
    linear(x, weight).backward();
    expect([...(await weight.grad!.data())]).toEqual([12, 16]); // (2 + 1 + 1) · x
  });
  it('names both shapes when they do not fit', () => {
    expect(() => linear(tensor([[1, 2]]), tensor([[1, 2, 3]]))).toThrow(
      "linear: the last axis of x must have the weight's input length: expected [..., 3], got [1,2] (weight is [1,3])",
    );
    expect(() => linear(tensor([[1, 2]]), tensor([[1, 2]]), tensor([1, 2]))).toThrow('expected [1], got [2]');
  });
});

describe('embedding', () => {
  it('reads rows and adds up the gradient of rows read twice', async () => {
    const ids = tensor(new Int32Array([2, 0, 2, 1]), [2, 2]);
    await checkGradient({
      shapes: [[4, 3]],
      run: ([table]) => embedding(table!, ids),
      reference: ([table]) => [2, 0, 2, 1].flatMap((id) => [...table!.slice(id * 3, id * 3 + 3)]),
    });
  });
  it('gives the padding row no gradient', async () => {
    const table = tensor([[1], [2], [3]], undefined, { requiresGrad: true });
    embedding(table, tensor(new Int32Array([0, 1, 1])), { paddingIndex: 1 })
      .sum()
      .backward();
    expect([...(await table.grad!.data())]).toEqual([1, 0, 0]);
  });
});
