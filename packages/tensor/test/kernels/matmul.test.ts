import { devices } from '@burin/testing';
import { fc, it as property } from '@fast-check/vitest';
import { describe, it } from 'vitest';
import { dirty, normals } from './inputs.js';
import { reference } from './reference-forward.js';
import { expectLikeReference } from './run-kernel.js';
import { sumOf } from './tolerances.js';

interface Case {
  m: number;
  n: number;
  k: number;
  batch?: number;
  transposeA?: boolean;
  transposeB?: boolean;
  bDtype?: 'float32' | 'float16' | 'bfloat16';
  bias?: boolean;
  accumulate?: boolean;
  alpha?: number;
  shareA?: boolean;
  shareB?: boolean;
}

function argumentsOf(options: Case): reference.MatmulArguments {
  const { m, n, k, batch = 1, bDtype = 'float32', shareA = false, shareB = false } = options;
  const [aStride, bStride] = [shareA ? 0 : m * k, shareB ? 0 : k * n];
  const wide = normals(shareB ? k * n : batch * k * n, 2);
  const b = bDtype === 'float32' ? wide : Uint16Array.from(wide, (value) => reference.encodeHalf(bDtype, value));
  return {
    ...{ a: normals(shareA ? m * k : batch * m * k, 1), b, bDtype },
    y: options.accumulate ? normals(batch * m * n, 3) : dirty(batch * m * n),
    bias: options.bias ? normals(n, 4) : null,
    ...{ batch, m, n, k, aStride, bStride },
    ...{ transposeA: options.transposeA ?? false, transposeB: options.transposeB ?? false },
    ...{ alpha: options.alpha ?? 1, accumulate: options.accumulate ?? false },
  };
}

/** The whole product against the reference. A sum of k products of normal numbers is of size √k, and so is each partial one. */
const expectProduct = (device: (typeof devices)[number], options: Case) =>
  expectLikeReference(device, sumOf(options.k), 'matmul', argumentsOf(options));

const TRANSPOSES = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

const DTYPES = ['float32', 'float16', 'bfloat16'] as const;

/** Which operand all products of a batch share. */
const SHARED = [
  [false, false],
  [true, false],
  [false, true],
] as const;

describe.each(devices)('matmul on %s', (device) => {
  describe.each(TRANSPOSES)('with transposeA %s, transposeB %s', (transposeA, transposeB) => {
    it('is its reference at sizes around the panels', async () => {
      for (const [m, n, k] of [
        ...[
          [1, 1, 1],
          [1, 7, 5],
          [3, 1, 7],
          [5, 3, 1],
          [7, 5, 3],
          [4, 16, 8],
          [17, 16, 15],
        ],
        ...[
          [63, 65, 64],
          [65, 63, 17],
          [5, 130, 65],
          [130, 5, 63],
          [33, 34, 300],
          [1, 64, 130],
          [130, 1, 64],
        ],
      ] as const) {
        await expectProduct(device, { m: m!, n: n!, k: k!, transposeA, transposeB });
      }
    });

    it.each(DTYPES)('widens b from %s, adds the bias, scales and accumulates', async (bDtype) => {
      for (const [m, n, k] of [
        [1, 19, 35],
        [3, 17, 5],
        [18, 37, 66],
      ] as const) {
        for (const accumulate of [false, true]) {
          for (const bias of [false, true]) {
            await expectProduct(device, { m, n, k, transposeA, transposeB, bDtype, bias, accumulate, alpha: -0.5 });
          }
        }
      }
    });

    it('multiplies in batches, and repeats a shared operand', async () => {
      for (const [m, n, k] of [
        [1, 7, 5],
        [5, 1, 3],
        [6, 9, 17],
      ] as const) {
        for (const [shareA, shareB] of SHARED) {
          await expectProduct(device, { m, n, k, batch: 3, transposeA, transposeB, shareA, shareB, bias: true });
        }
      }
    });
  });

  property.prop(
    [
      fc.record({
        ...{
          m: fc.integer({ min: 1, max: 40 }),
          n: fc.integer({ min: 1, max: 40 }),
          k: fc.integer({ min: 1, max: 80 }),
        },
        ...{ transposeA: fc.boolean(), transposeB: fc.boolean(), bDtype: fc.constantFrom(...DTYPES) },
        ...{ bias: fc.boolean(), accumulate: fc.boolean(), alpha: fc.constantFrom(1, 0.125, -2) },
        ...{ batch: fc.integer({ min: 1, max: 3 }), shareA: fc.boolean(), shareB: fc.boolean() },
      }),
    ],
    { seed: 1, numRuns: 80 },
  )('is its reference for any sizes and options', (options) => expectProduct(device, options));

  it.each(DTYPES)('multiplies few rows by long ones of %s', async (bDtype) => {
    for (const k of [255, 256, 257, 276, 1023]) {
      for (const n of [1, 3, 4, 6]) {
        for (const m of [1, 3]) await expectProduct(device, { m, n, k, transposeB: true, bDtype, accumulate: true });
      }
    }
  });

  it('multiplies few rows by long ones in batches, repeats a shared operand, adds the bias and scales', async () => {
    const options = { k: 270, batch: 3, transposeB: true, bias: true, accumulate: true, alpha: -0.5 };
    for (const [m, n] of [
      [1, 5],
      [8, 3],
      [9, 6],
    ] as const) {
      for (const [shareA, shareB] of SHARED) {
        await expectProduct(device, { m, n, ...options, shareA, shareB });
      }
    }
  });

  it('crosses the blocks of the long axes', async () => {
    await expectProduct(device, { m: 3, n: 5, k: 1100 });
    await expectProduct(device, { m: 3, n: 1100, k: 5, transposeB: true });
    await expectProduct(device, { m: 9, n: 1100, k: 5, bias: true, accumulate: true });
    await expectProduct(device, { m: 9, n: 700, k: 600, bias: true, transposeB: true });
    await expectProduct(device, { m: 1100, n: 3, k: 5, transposeA: true });
  });

  it('gives the bias, or what was there, for an empty sum; and nothing for no rows', async () => {
    await expectProduct(device, { m: 3, n: 5, k: 0, bias: true });
    await expectProduct(device, { m: 3, n: 5, k: 0, accumulate: true });
    await expectProduct(device, { m: 3, n: 5, k: 0 });
    await expectProduct(device, { m: 0, n: 5, k: 3 });
    await expectProduct(device, { m: 3, n: 0, k: 3 });
    await expectProduct(device, { m: 3, n: 5, k: 3, batch: 0 });
  });

  it('keeps NaN and infinity in their row and column', async () => {
    for (const m of [1, 6]) {
      const args = argumentsOf({ m, n: 5, k: 7 });
      args.a[3] = NaN;
      args.b[8] = Infinity;
      await expectLikeReference(device, sumOf(8), 'matmul', args);
    }
  });
});
