import { afterEach, beforeEach, describe, expect, it, type MockInstance, vi } from 'vitest';
import { openBlas } from '../src/cpu/blas.node.js';
import type { Engine } from '../src/cpu/engine.js';
import { cpu } from '../src/cpu/index.js';
import type { AttentionArguments, AttentionGradients } from '../src/kernels/attention.js';
import { MemoryError } from '../src/memory.js';
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
const FORWARD = sumOf(1030);
/** Sums over heads and tokens of products of three such numbers. */
const BACKWARD = gradientOf(1030);

const found = openBlas('auto');
/** The last queries of a longer sequence. */
const SIZES = { batch: 1, heads: 2, queries: 301, keys: 1030, queryOffset: 729, headDim: 16 };

const every = (length: number, step: number) => Uint8Array.from({ length }, (_, i) => (i % step ? 1 : 0));
const thirds = (length: number) => Int32Array.from({ length }, (_, i) => Math.floor((3 * i) / length));

/** Strips of 128, 128 and 45 queries; spans of 256 keys and one of 6, whose rows are no whole vectors. */
const CASES: Record<string, AttentionCase> = {
  'full attention': { batch: 2 },
  'causal attention': { windowRight: 0 },
  'grouped queries': { heads: 4, kvHeads: 2, windowRight: 0 },
  'more heads than a key/value head is cut into parts for': {
    batch: 4,
    heads: 8,
    kvHeads: 4,
    keys: 70,
    queryOffset: 0,
  },
  'a window': { windowLeft: 40, windowRight: 3 },
  'a window to the left only': { windowLeft: 900 },
  'keys that the last queries do not see': { queryOffset: 600, windowRight: 0 },
  'queries that see no key': { queryOffset: 830, windowLeft: 10 },
  'hidden keys': { batch: 2, keyMask: every(2060, 3), windowRight: 0 },
  'all keys hidden': { keyMask: new Uint8Array(1030) },
  'packed segments': { querySegments: thirds(301), keySegments: thirds(1030), windowRight: 0 },
  'values of another size': { headDim: 17, valueDim: 21, windowRight: 0 },
  dropout: { dropout: 0.3, windowRight: 0, stream: { seedLow: 5, seedHigh: 1, offsetLow: 0xffffffff, offsetHigh: 0 } },
  'a cache with room': {
    ...{ k: normals(2 * 1037 * 16, 2), v: normals(2 * 1037 * 16, 3) },
    ...{ kStrides: headsFirst(1037, 2, 16), vStrides: headsFirst(1037, 2, 16) },
  },
};

/** Buffers full of zeros. */
function onDevice(options: AttentionCase): [AttentionArguments, AttentionGradients] {
  const args = attentionArguments(options);
  const upload = (given: object) =>
    Object.entries(given).map(([key, value]) => {
      if (!(value instanceof Float32Array)) return [key, value];
      const buffer = cpu().memory.allocate(value.byteLength);
      cpu().kernels.fill('float32', buffer, 0, value.length);
      return [key, buffer];
    });
  return [Object.fromEntries(upload(args)), Object.fromEntries(upload({ ...attentionGradients(args), dbias: null }))];
}

describe.skipIf(!found)(`attention with products by ${found?.name ?? 'a BLAS (none is installed here)'}`, () => {
  let run: MockInstance<Engine['run']>;
  beforeEach(() => {
    run = vi.spyOn(cpu().engine, 'run');
  });
  afterEach(() => run.mockRestore());
  const kernels = () => run.mock.calls.map(([name]) => name);

  it.each(Object.entries(CASES))('is its reference: %s', async (_name, options) => {
    const args = attentionArguments({ ...SIZES, ...options });
    await expectLikeReference('cpu', FORWARD, 'attention', args);
    await expectLikeReference('cpu', BACKWARD, 'attentionBackward', args, attentionGradients(args));
    expect(kernels().slice(0, 2)).toEqual(['attentionStrips', 'attentionStripsBackward']);
  });

  it('adds a bias', async () => {
    const bias = { bias: normals(2 * 301 * 1030, 4), biasStrides: { batch: 0, head: 301 * 1030, token: 1030 } };
    const args = attentionArguments({ ...SIZES, ...bias });
    await expectLikeReference('cpu', FORWARD, 'attention', args);
    const gradients = { ...attentionGradients(args), dbias: null };
    await expectLikeReference('cpu', BACKWARD, 'attentionBackward', args, gradients);
    expect(kernels().slice(0, 2)).toEqual(['attentionStrips', 'attentionStripsBackward']);
  });

  it('sums the gradients of long texts in bounded memory', () => {
    const [args, gradients] = onDevice({ batch: 1, heads: 1, queries: 2048, keys: 9000, headDim: 64 });
    const allocate = vi.spyOn(cpu().engine.allocator, 'allocate');
    cpu().kernels.attentionBackward(args, gradients);
    const sums = 14 * 9000 * (64 + 64) * 4; // of sixteen strips in sixteen parts it would be 15
    expect(allocate).toHaveBeenCalledWith(sums);
    expect(sums).toBeLessThan(2 ** 26);
    allocate.mockReturnValue(null);
    expect(() => cpu().kernels.attentionBackward(args, gradients)).toThrow(
      new MemoryError(`cpu: no room for ${sums} bytes of sums in attention; make batches smaller`),
    );
    allocate.mockRestore();
  });

  it('leaves the gradient of a bias, few queries or keys, and small heads to the blocks', async () => {
    const bias = { bias: normals(1030, 4), biasStrides: { batch: 0, head: 0, token: 0 } };
    const args = attentionArguments({ ...SIZES, ...bias });
    const small = [{ queries: 7 }, { keys: 15 }, { headDim: 7 }, { valueDim: 7 }, { queries: 63, keys: 65 }];
    for (const options of small) {
      await expectLikeReference('cpu', FORWARD, 'attention', attentionArguments({ ...SIZES, ...options }));
    }
    expect(new Set(kernels())).toEqual(new Set(['attention']));
    await expectLikeReference('cpu', FORWARD, 'attention', args);
    await expectLikeReference('cpu', BACKWARD, 'attentionBackward', args, attentionGradients(args));
    expect(kernels().slice(-2)).toEqual(['attentionStrips', 'attentionBackward']);
  });
});
