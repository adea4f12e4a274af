import { afterEach, describe, expect, it, vi } from 'vitest';
import { openBlas } from '../src/cpu/blas.node.js';
import { createEngine } from '../src/cpu/engine.js';
import type { AttentionArguments } from '../src/kernels/attention.js';
import type { MatmulArguments } from '../src/kernels/matmul.js';
import type { FourBitWeight } from '../src/kernels/quantization.js';
import { type Bench, type Case, runCase } from './kernel-cases.js';
import { tokensFirst } from './kernels/attention-arguments.js';
import { sharingEngine } from './sharing-engine.js';

const found = openBlas('auto');

/** Several units, the last of another size, in rows and in columns. */
const SIZES = [
  { m: 300, n: 70, k: 65 },
  { m: 20, n: 1100, k: 70 },
  { m: 130, n: 1100, k: 15 },
];

function product({ floats, kernels }: Bench, more: Partial<MatmulArguments>): void {
  for (const { m, n, k } of SIZES) {
    const batch = more.batch ?? 1;
    const strides = { aStride: batch > 1 ? m * k : 0, bStride: batch > 1 ? k * n : 0 };
    const operands = { a: floats(batch * m * k), b: floats(batch * k * n), y: floats(batch * m * n) };
    const plain = { batch: 1, transposeA: false, transposeB: false, alpha: 0.5, accumulate: false };
    const bias = more.bias === null ? null : floats(n);
    kernels.matmul({ ...operands, bDtype: 'float32', m, n, k, ...strides, ...plain, ...more, bias });
  }
}

function fourBitProduct({ kernels, floats, upload }: Bench, transpose: boolean): void {
  const [m, outFeatures, inFeatures] = [200, 330, 96];
  const size = outFeatures * inFeatures;
  const [packed, absmax] = [upload(new Uint8Array(size / 2)), upload(new Float32Array(size / 64))];
  kernels.quantize4bit('nf4', floats(size), packed, absmax, size, 64);
  const nothing = { absmaxCodes: null, nestedAbsmax: null, nestedCode: null, nestedOffset: 0, nestedBlockSize: 0 };
  const weight: FourBitWeight = { type: 'nf4', packed, size, blockSize: 64, absmax, ...nothing };
  const [from, to] = transpose ? [outFeatures, inFeatures] : [inFeatures, outFeatures];
  const y = floats(m * to);
  kernels.matmul4bit(floats(m * from), weight, null, y, m, outFeatures, inFeatures, transpose, false);
}

/** Two strips of queries, spans of 256 keys and of fewer; `kvHeads` of few heads are cut in parts. */
function attention({ kernels, floats, empty }: Bench, sizes: { batch: number; heads: number; kvHeads: number }): void {
  const [queries, keys, headDim] = [150, 290, 16];
  const { batch, heads, kvHeads } = sizes;
  const [queryCount, keyCount] = [batch * queries * heads * headDim, batch * keys * kvHeads * headDim];
  const [qStrides, kStrides] = [tokensFirst(queries, heads, headDim), tokensFirst(keys, kvHeads, headDim)];
  const args: AttentionArguments = {
    ...{ q: floats(queryCount), k: floats(keyCount), v: floats(keyCount), out: empty(queryCount) },
    ...{ lse: empty(batch * heads * queries), qStrides, kStrides, vStrides: kStrides, outStrides: qStrides },
    ...{ ...sizes, queries, keys, headDim, valueDim: headDim, scale: 0.25 },
    ...{
      windowLeft: -1,
      windowRight: 0,
      queryOffset: keys - queries,
      keyMask: null,
      querySegments: null,
      keySegments: null,
    },
    ...{ bias: null, biasStrides: { batch: 0, head: 0, token: 0 }, dropout: 0, stream: null },
  };
  kernels.attention(args);
  const gradients = { dq: empty(queryCount), dk: empty(keyCount), dv: empty(keyCount), dbias: null };
  kernels.attentionBackward(args, { g: floats(queryCount), ...gradients });
}

const CASES: Record<string, Case> = {
  products(bench) {
    for (const transposeA of [false, true]) {
      for (const transposeB of [false, true]) product(bench, { transposeA, transposeB, bias: null });
    }
  },
  'products of a batch': (bench) => product(bench, { batch: 3, bias: null, accumulate: true }),
  'products with a bias': (bench) => product(bench, { batch: 2 }),
  'products with a 4-bit weight'(bench) {
    for (const transpose of [false, true]) fourBitProduct(bench, transpose);
  },
  'attention, heads in parts': (bench) => attention(bench, { batch: 1, heads: 4, kvHeads: 2 }),
  'attention, many heads': (bench) => attention(bench, { batch: 3, heads: 6, kvHeads: 6 }),
};

afterEach(() => void vi.restoreAllMocks());

describe.skipIf(!found)(`${found?.name ?? 'a BLAS (none is installed here)'} called by several threads`, async () => {
  const source = { get: () => found };
  const alone = createEngine(1);
  const [two, three] = found ? [await sharingEngine(2), await sharingEngine(3)] : [];

  it.each(Object.entries(CASES))('gives the same bits as called by one: %s', (_, run) => {
    const sgemm = vi.spyOn(found!, 'sgemm');
    const expected = runCase(alone, run, source);
    expect(sgemm).toHaveBeenCalled();
    for (const engine of [two!, three!]) {
      const got = runCase(engine, run, source);
      expect(got.length).toBe(expected.length);
      expect(got.findIndex((byte, at) => byte !== expected[at])).toBe(-1);
    }
  });

  it('is an error where a worker cannot load it', async () => {
    const engine = await sharingEngine(2);
    const recipe = JSON.stringify({ ...JSON.parse(found!.recipe), file: '/nowhere/libblas.so' });
    const lost = { name: 'lost', recipe, sgemm: found!.sgemm.bind(found) };
    const run = () => runCase(engine, CASES['products of a batch']!, { get: () => lost });
    // the calling thread may have taken all units before the worker wakes
    await expect
      .poll(() => attempt(run))
      .toMatch(
        /^cpu: a kernel failed in a worker thread: it cannot load \/nowhere\/libblas.so: .*; BURIN_BLAS=off does without$/,
      );
    expect(runCase(engine, ({ kernels, floats }) => kernels.unary('exp', floats(99), floats(99), 99, 0)).length).toBe(
      792,
    );
  });
});

it('a kernel that asks for a product where no BLAS is connected says so', () => {
  const engine = createEngine(1);
  expect(() => engine.run('blasProduct', [engine.metadata(new Array(20).fill(1))], 1, 0)).toThrow(
    'cpu: a kernel asked for a product by a BLAS, and none is connected',
  );
});

function attempt(body: () => unknown): string {
  try {
    body();
    return 'no error';
  } catch (error) {
    return (error as Error).message;
  }
}
