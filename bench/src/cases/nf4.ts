import { linear4bit, NF4_CODE, type QuantizedTensor, quantize4bit } from '@burin/quant-nf4';
import { linear, noGrad, type Tensor } from '@burin/tensor';
import type { Case, Prepared, Work } from '../case.js';
import { expectSamples, inputs, over } from './inputs.js';

/** Sums of up to 4096 products of normal numbers, in float32. */
const TOLERANCE = 1e-3;

/** A scale of about 3 is held in 8 bits; the next code is 0.2 away. */
const SCALE = 0.05;

const BLOCK = 64;

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
      const original = (await float.data()) as Float32Array;
      const weight = await quantize4bit(float, { doubleQuant: true });
      float.dispose();
      const result = () => noGrad(() => run(x, weight));
      return over([x, ...weight.tensors], result, async () => {
        if (rows === 0) return expectSamples(result(), (at) => nearestCode(original, at), SCALE);
        const dense = weight.dequantize();
        const [a, w] = [await x.data(), await dense.data()];
        dense.dispose();
        await expectSamples(result(), (at) => dot(a, Math.floor(at / out), w, at % out, inner), TOLERANCE);
      });
    },
  };
}

/** Element `at` as its code says it: the nearest entry of the table, times the largest magnitude of its block. */
function nearestCode(values: Float32Array, at: number): number {
  const start = at - (at % BLOCK);
  const scale = values.subarray(start, start + BLOCK).reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  const distance = (entry: number) => Math.abs(entry - values[at]! / scale);
  return scale * NF4_CODE.reduce((nearest, entry) => (distance(entry) < distance(nearest) ? entry : nearest));
}

/** Row i of one times row j of the other, in float64. */
function dot(a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number, length: number): number {
  let sum = 0;
  for (let p = 0; p < length; p++) sum += a[i * length + p]! * b[j * length + p]!;
  return sum;
}

/** Codes and their share of the scales: what decoding one token has to read. */
const BYTES = 0.5 + 1 / BLOCK;

/** The same product with the weight in float32, to compare with. */
function floatVector(out: number, inner: number): Case {
  return {
    name: 'nf4/vector-float32',
    shape: `1x${inner}x${out}`,
    work: { bytes: 4 * out * inner },
    prepare() {
      const [x, weight] = inputs([1, inner], [out, inner]) as [Tensor, Tensor];
      const run = () => noGrad(() => linear(x, weight));
      return over([x, weight], run, async () => {
        const [a, w] = [await x.data(), await weight.data()];
        await expectSamples(run(), (at) => dot(a, 0, w, at, inner), TOLERANCE);
      });
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
