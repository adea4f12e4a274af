import { matmul, noGrad, type Tensor } from '@burin/tensor';
import type { Case } from '../case.js';
import { expectSamples, inputs, over } from './inputs.js';

/** Sums of up to 4096 products of normal numbers, in float32: their rounding grows with the root of the length. */
const TOLERANCE = 1e-3;

interface Sizes {
  m: number;
  k: number;
  n: number;
}

const TRANSPOSES = ['nn', 'nt', 'tn', 'tt'] as const;

type Transpose = (typeof TRANSPOSES)[number];

/** `op(a) · op(b)`: `nt` says that b is stored transposed, as a Linear's weight is. */
function product(name: string, transpose: Transpose, { m, k, n }: Sizes): Case {
  const [transposeA, transposeB] = [transpose[0] === 't', transpose[1] === 't'];
  return {
    name: `${name}/${transpose}`,
    shape: `${m}x${k}x${n}`,
    work: { flops: 2 * m * k * n },
    prepare() {
      const [a, b] = inputs(transposeA ? [k, m] : [m, k], transposeB ? [n, k] : [k, n]) as [Tensor, Tensor];
      const run = () => noGrad(() => matmul(a, b, { transposeA, transposeB }));
      return over([a, b], run, async () => {
        const [x, y] = [await a.data(), await b.data()];
        const at = (i: number, p: number) => x[transposeA ? p * m + i : i * k + p]!;
        const bt = (p: number, j: number) => y[transposeB ? j * k + p : p * n + j]!;
        const dot = (i: number, j: number) => {
          let sum = 0;
          for (let p = 0; p < k; p++) sum += at(i, p) * bt(p, j);
          return sum;
        };
        await expectSamples(run(), (at) => dot(Math.floor(at / n), at % n), TOLERANCE);
      });
    },
  };
}

const squares = [256, 512, 1024].flatMap((size) =>
  TRANSPOSES.map((transpose) => product('product', transpose, { m: size, k: size, n: size })),
);

/** A Linear forward (nt), its gradient of x (nn) and of the weight (tn): 1024 tokens, as in `train-step` and wider. */
function linear(name: string, tokens: number, inner: number, out: number): Case[] {
  return [
    product(name, 'nt', { m: tokens, k: inner, n: out }),
    product(name, 'nn', { m: tokens, k: out, n: inner }),
    product(name, 'tn', { m: out, k: tokens, n: inner }),
  ];
}

export const productCases: readonly Case[] = [
  ...squares,
  ...linear('linear', 1024, 256, 256),
  ...linear('linear', 1024, 256, 688),
  ...linear('linear', 1024, 256, 4096),
  ...linear('linear', 1024, 512, 2048),
  ...linear('lora', 1024, 512, 8), // A: down to the rank
  ...linear('lora', 1024, 8, 512), // B: up again
];
