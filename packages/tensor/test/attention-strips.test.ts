import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { openBlas } from '../src/cpu/blas.node.js';
import {
  type AttentionCase,
  attentionArguments,
  attentionGradients,
  headsFirst,
} from './kernels/attention-arguments.js';
import { normals } from './kernels/inputs.js';
import { expectLikeReference } from './kernels/run-kernel.js';
import { gradientOf, sumOf } from './kernels/tolerances.js';

/** Averages of values of size 1 with weights from scores of size up to 8, and lse of that size. */
const FORWARD = sumOf(300);
/** Sums over heads and tokens of products of three such numbers. */
const BACKWARD = gradientOf(300);

const found = openBlas('auto', 1);
const SIZES = { batch: 1, heads: 2, queries: 301, headDim: 16 };

const every = (length: number, step: number) => Uint8Array.from({ length }, (_, i) => (i % step ? 1 : 0));
const thirds = (length: number) => Int32Array.from({ length }, (_, i) => Math.floor((3 * i) / length));

/** Strips of 128, 128 and 45 queries; and rows of a strip that are no whole vectors. */
const CASES: Record<string, AttentionCase> = {
  'full attention': { batch: 2 },
  'causal attention': { windowRight: 0 },
  'grouped queries': { heads: 4, kvHeads: 2, windowRight: 0 },
  'the last queries of a longer sequence': { queries: 258, keys: 343, queryOffset: 85, windowRight: 0 },
  'a window': { windowLeft: 40, windowRight: 3 },
  'a window to the left only': { windowLeft: 200 },
  'keys that the last queries do not see': { queries: 256, keys: 300, windowRight: 0 },
  'queries that see no key': { queries: 300, keys: 257, queryOffset: 100, windowLeft: 10 },
  'hidden keys': { batch: 2, keyMask: every(602, 3), windowRight: 0 },
  'all keys hidden': { keyMask: new Uint8Array(301) },
  'packed segments': { querySegments: thirds(301), keySegments: thirds(301), windowRight: 0 },
  'values of another size': { headDim: 17, valueDim: 21, windowRight: 0 },
  dropout: { dropout: 0.3, windowRight: 0, stream: { seedLow: 5, seedHigh: 1, offsetLow: 0xffffffff, offsetHigh: 0 } },
  'a cache with room': {
    ...{ keys: 301, k: normals(2 * 307 * 16, 2), v: normals(2 * 307 * 16, 3) },
    ...{ kStrides: headsFirst(307, 2, 16), vStrides: headsFirst(307, 2, 16) },
  },
};

describe.skipIf(!found)(`attention with products by ${found?.name ?? 'a BLAS (none is installed here)'}`, () => {
  let sgemm: MockInstance;
  beforeEach(() => {
    sgemm = vi.spyOn(Object.getPrototypeOf(found!), 'sgemm');
  });
  afterEach(() => sgemm.mockRestore());

  it.each(Object.entries(CASES))('is its reference: %s', async (_name, options) => {
    const args = attentionArguments({ ...SIZES, ...options });
    await expectLikeReference('cpu', FORWARD, 'attention', args);
    await expectLikeReference('cpu', BACKWARD, 'attentionBackward', args, attentionGradients(args));
    expect(sgemm).toHaveBeenCalled();
  });

  it('adds a bias', async () => {
    const bias = { bias: normals(2 * 301 * 301, 4), biasStrides: { batch: 0, head: 301 * 301, token: 301 } };
    const args = attentionArguments({ ...SIZES, ...bias });
    await expectLikeReference('cpu', FORWARD, 'attention', args);
    const gradients = { ...attentionGradients(args), dbias: null };
    await expectLikeReference('cpu', BACKWARD, 'attentionBackward', args, gradients);
    expect(sgemm).toHaveBeenCalled();
  });

  it('leaves the gradient of a bias, few tokens and small heads to the blocks', async () => {
    const bias = { bias: normals(301, 4), biasStrides: { batch: 0, head: 0, token: 0 } };
    const args = attentionArguments({ ...SIZES, ...bias });
    const small = [{ queries: 255 }, { keys: 255 }, { headDim: 15 }, { valueDim: 15 }];
    for (const options of small) {
      await expectLikeReference('cpu', FORWARD, 'attention', attentionArguments({ ...SIZES, ...options }));
    }
    expect(sgemm).not.toHaveBeenCalled();
    await expectLikeReference('cpu', FORWARD, 'attention', args);
    sgemm.mockClear();
    await expectLikeReference('cpu', BACKWARD, 'attentionBackward', args, attentionGradients(args));
    expect(sgemm).not.toHaveBeenCalled();
  });
});
