import { linear4bit, type QuantizedTensor, quantize4bit } from '@burin/quant-nf4';
import { linear, noGrad, type Tensor } from '@burin/tensor';
import type { Case, Prepared, Work } from '../case.js';
import { expectSamples, inputs, over } from './inputs.js';

/** Sums of up to 4096 products of normal numbers, in float32. */
const TOLERANCE = 1e-3;

interface FourBit {
  name: string;
  rows: number; // of x; 0: there is none
  out: number;
  inner: number;
  work(weightBytes: number): Work;
  bytes: number; // of the weight, an element
  run(x: Tensor, weight: QuantizedTensor): Tensor;
}

/** A weight in NF4, double quantization, blocks of 64. */
function fourBit({ name, rows, out, inner, work, bytes, run }: FourBit): Case {
  return {
    name,
    shape: rows === 0 ? `${out}x${inner}` : `${rows}x${inner}x${out}`,
    work: work(bytes * out * inner),
    async prepare(): Promise<Prepared> {
      const [x, float] = inputs([Math.max(1, rows), inner], [out, inner]) as [Tensor, Tensor];
      const weight = await quantize4bit(float, { doubleQuant: true });
      float.dispose();
      const result = () => noGrad(() => run(x, weight));
      return over([x, ...weight.tensors], result, async () => {
        const dense = weight.dequantize();
        const [a, w] = [await x.data(), await dense.data()];
        dense.dispose();
        const dot = (i: number, j: number) => {
          let sum = 0;
          for (let p = 0; p < inner; p++) sum += a[i * inner + p]! * w[j * inner + p]!;
          return sum;
        };
        if (rows > 0) await expectSamples(result(), (at) => dot(Math.floor(at / out), at % out), TOLERANCE);
      });
    },
  };
}

/** Codes and their share of the scales: what decoding one token has to read. */
const BYTES = 0.5 + 1 / 64;

/** The same product with the weight in float32, to compare with. */
function floatVector(out: number, inner: number): Case {
  return {
    name: 'nf4/vector-float32',
    shape: `1x${inner}x${out}`,
    work: { bytes: 4 * out * inner },
    prepare() {
      const [x, weight] = inputs([1, inner], [out, inner]) as [Tensor, Tensor];
      return over(
        [x, weight],
        () => noGrad(() => linear(x, weight)),
        async () => {},
      );
    },
  };
}

export const nf4Cases: readonly Case[] = [
  fourBit({
    name: 'nf4/dequantize',
    ...{ rows: 0, out: 4096, inner: 4096, bytes: BYTES + 4 },
    work: (bytes) => ({ bytes }),
    run: (_x, weight) => weight.dequantize(),
  }),
  fourBit({
    name: 'nf4/product',
    ...{ rows: 1024, out: 1024, inner: 1024, bytes: BYTES },
    work: () => ({ flops: 2 * 1024 ** 3 }),
    run: linear4bit,
  }),
  fourBit({
    name: 'nf4/vector',
    ...{ rows: 1, out: 4096, inner: 4096, bytes: BYTES },
    work: (bytes) => ({ bytes }),
    run: linear4bit,
  }),
  floatVector(4096, 4096),
];
