import { devices, expectClose, seededRandom } from '@burin/testing';
import { fc, it as property } from '@fast-check/vitest';
import { describe, it } from 'vitest';
import {
  type AttentionCase,
  attentionArguments,
  attentionGradients,
  headsFirst,
  tokensFirst,
} from './attention-arguments.js';
import { dirty, normals } from './inputs.js';
import { expectGradient, reference } from './reference-forward.js';
import { expectLikeReference, kernelsOf } from './run-kernel.js';
import { gradientOf, ROUNDING, sumOf } from './tolerances.js';

/** Averages of values of size 1 with weights from scores of size up to 8, and lse of that size. */
const FORWARD = sumOf(16);
/** Sums over heads and tokens of products of three such numbers. */
const BACKWARD = gradientOf(16);

/** Runs the kernel forward, then backward from the reference's lse, each against the reference. */
async function expectAttention(device: (typeof devices)[number], options: AttentionCase): Promise<void> {
  const args = attentionArguments(options);
  await expectLikeReference(device, FORWARD, 'attention', args);
  await expectLikeReference(device, BACKWARD, 'attentionBackward', args, attentionGradients(args));
}

/** A mask of keys that are seen, of which each row of the batch sees another number. */
function paddingMask(batch: number, keys: number): Uint8Array {
  return Uint8Array.from({ length: batch * keys }, (_, i) => (i % keys < keys - 2 * Math.floor(i / keys) - 1 ? 1 : 0));
}

const CASES: Record<string, AttentionCase> = {
  'full attention': {},
  'one query over one key': { queries: 1, keys: 1, headDim: 1 },
  'causal attention': { queries: 7, windowRight: 0 },
  'cross attention': { queries: 3, keys: 11 },
  'grouped queries': { heads: 6, kvHeads: 2, queries: 7, windowRight: 0 },
  'one key/value head': { heads: 3, kvHeads: 1 },
  'values of another size': { headDim: 5, valueDim: 3 },
  'long values': { headDim: 3, valueDim: 20 },
  'another scale': { scale: 1.5 },
  'a cache: the last queries of a longer sequence': { queries: 3, keys: 11, queryOffset: 8, windowRight: 0 },
  'one token after a cache': { queries: 1, keys: 70, queryOffset: 69, windowRight: 0, heads: 4, kvHeads: 2 },
  'a window to the left': { queries: 9, windowLeft: 2, windowRight: 0 },
  'a window to both sides': { queries: 9, windowLeft: 1, windowRight: 2 },
  'a window to the right only': { queries: 9, windowRight: 3 },
  'a window to the left only': { queries: 9, windowLeft: 3 },
  'a window of one key': { queries: 5, windowLeft: 0, windowRight: 0 },
  'hidden keys': { keyMask: paddingMask(2, 5) },
  'hidden keys, causal': { queries: 7, windowRight: 0, keyMask: paddingMask(2, 7) },
  'packed segments': {
    ...{ queries: 7, windowRight: 0 },
    querySegments: Int32Array.of(0, 0, 0, 1, 1, 2, 2, 5, 5, 5, 5, 5, 5, -1),
    keySegments: Int32Array.of(0, 0, 0, 1, 1, 2, 2, 5, 5, 5, 5, 5, 5, -1),
  },
  'a bias for each head': { bias: normals(2 * 5 * 5, 4), biasStrides: { batch: 0, head: 25, token: 5 } },
  'a bias for each batch and head': { bias: normals(100, 4), biasStrides: { batch: 50, head: 25, token: 5 } },
  'a bias that all queries share': { bias: normals(5, 4), biasStrides: { batch: 0, head: 0, token: 0 } },
  dropout: { dropout: 0.3, stream: { seedLow: 5, seedHigh: 1, offsetLow: 0xffffffff, offsetHigh: 0 } },
  'dropout over many blocks': {
    ...{ batch: 1, queries: 67, keys: 131, heads: 2, windowRight: 64, dropout: 0.5 },
    stream: { seedLow: 5, seedHigh: 1, offsetLow: 7, offsetHigh: 0 },
  },
  'many blocks': { batch: 1, queries: 130, keys: 130, headDim: 17, windowRight: 0 },
  'many blocks, cross': { batch: 1, queries: 65, keys: 197, headDim: 8, heads: 2, kvHeads: 1 },
  'many blocks, window': { batch: 1, queries: 150, windowLeft: 20, windowRight: 0, headDim: 6 },
  // a GPU takes 4 M scores at a time
  'more scores than a GPU takes at once': {
    ...{ batch: 1, heads: 2, kvHeads: 1, queries: 1501, headDim: 3, windowLeft: 40, windowRight: 3, dropout: 0.1 },
    ...{ bias: normals(1501, 4), biasStrides: { batch: 0, head: 0, token: 0 } },
    stream: { seedLow: 5, seedHigh: 1, offsetLow: 7, offsetHigh: 0 },
  },
  'wide heads': { batch: 1, queries: 9, headDim: 128, heads: 1 },
  'everything at once': {
    ...{
      heads: 4,
      kvHeads: 2,
      queries: 6,
      keys: 9,
      queryOffset: 3,
      windowLeft: 4,
      windowRight: 1,
      headDim: 7,
      valueDim: 3,
    },
    keyMask: paddingMask(2, 9),
    querySegments: Int32Array.of(0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 1, 1),
    keySegments: Int32Array.of(0, 0, 0, 0, 0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 0, 0, 1, 1),
    ...{ bias: normals(4 * 6 * 9, 4), biasStrides: { batch: 0, head: 54, token: 9 } },
    ...{ dropout: 0.2, stream: { seedLow: 3, seedHigh: 0, offsetLow: 1, offsetHigh: 0 } },
  },
};

describe.each(devices)('attention on %s', (device) => {
  it.each(Object.entries(CASES))('is its reference, forward and backward: %s', async (_, options) => {
    await expectAttention(device, options);
  });

  it('reads any strides: heads first, and q, k, v in one buffer', async () => {
    const [batch, heads, kvHeads, queries, headDim] = [2, 4, 2, 7, 5];
    const [qStrides, outStrides] = [headsFirst(queries, heads, headDim), tokensFirst(queries, heads, headDim)];
    const kStrides = headsFirst(queries, kvHeads, headDim);
    const sizes = { batch, heads, kvHeads, queries, headDim, windowRight: 0 };
    await expectAttention(device, { ...sizes, qStrides, kStrides, vStrides: kStrides, outStrides });
    await expectAttention(device, { ...sizes, qStrides, outStrides: qStrides });
    // A cache that has room for more keys than it holds.
    const room = headsFirst(queries + 6, kvHeads, headDim);
    const [k, v] = [normals(batch * room.batch, 2), normals(batch * room.batch, 3)];
    const args = attentionArguments({ ...sizes, k, v, kStrides: room, vStrides: room });
    await expectLikeReference(device, FORWARD, 'attention', args);
    await expectLikeReference(device, BACKWARD, 'attentionBackward', args, attentionGradients(args));
  });

  property.prop(
    [
      fc.record({
        ...{ queries: fc.integer({ min: 1, max: 40 }), keys: fc.integer({ min: 1, max: 80 }) },
        ...{ headDim: fc.integer({ min: 1, max: 20 }), valueDim: fc.integer({ min: 1, max: 20 }) },
        ...{ kvHeads: fc.integer({ min: 1, max: 2 }), group: fc.integer({ min: 1, max: 3 }) },
        ...{ windowLeft: fc.integer({ min: -1, max: 30 }), windowRight: fc.integer({ min: -1, max: 30 }) },
        ...{ queryOffset: fc.integer({ min: 0, max: 40 }), masked: fc.boolean(), segmented: fc.boolean() },
        ...{ biased: fc.boolean(), dropout: fc.constantFrom(0, 0, 0.25), seed: fc.nat(1000) },
      }),
    ],
    { seed: 1, numRuns: 40 },
  )('is its reference for any sizes and options', async ({ masked, segmented, biased, group, seed, ...sizes }) => {
    const { queries, keys, kvHeads } = sizes;
    const [batch, heads] = [2, kvHeads * group];
    const random = seededRandom(seed);
    await expectAttention(device, {
      ...sizes,
      ...{ batch, heads, stream: { seedLow: seed, seedHigh: 0, offsetLow: seed, offsetHigh: 0 } },
      keyMask: masked ? Uint8Array.from(random.integers(batch * keys, 0, 2)) : null,
      querySegments: segmented ? random.integers(batch * queries, 0, 3) : null,
      keySegments: segmented ? random.integers(batch * keys, 0, 3) : null,
      bias: biased ? random.normal(heads * queries * keys) : null,
      biasStrides: { batch: 0, head: queries * keys, token: keys },
    });
  });

  it('gives zeros, lse −∞ and gradients of 0 to a query that sees no key', async () => {
    const hidden = { keyMask: Uint8Array.of(0, 0, 0, 0, 0, 1, 0, 0, 0, 0) }; // none in the first of the batch
    await expectAttention(device, hidden);
    await expectAttention(device, { ...hidden, windowRight: 0 });
    await expectAttention(device, { queries: 4, keys: 3, queryOffset: 50, windowLeft: 2 }); // all keys are too far left
    await expectAttention(device, { querySegments: new Int32Array(10), keySegments: new Int32Array(10).fill(1) });
    await expectAttention(device, {
      bias: new Float32Array(25).fill(-Infinity),
      biasStrides: { batch: 0, head: 0, token: 5 },
    });
    // many blocks of hidden keys before the first one that is seen, and after
    const keyMask = new Uint8Array(200);
    keyMask[150] = 1;
    await expectAttention(device, { batch: 1, queries: 3, keys: 200, keyMask });
  });

  it('takes −∞ in a bias for a key that is not seen', async () => {
    const bias = normals(25, 4);
    for (const i of [1, 7, 8, 20, 21, 22, 23]) bias[i] = -Infinity;
    await expectAttention(device, { bias, biasStrides: { batch: 0, head: 0, token: 5 } });
  });

  // finite: NaN or infinity in v times a probability of 0 is NaN, here as in PyTorch
  it('takes nothing from a hidden key, whatever number it holds', async () => {
    const args = attentionArguments({ queries: 5, keyMask: Uint8Array.of(1, 1, 0, 1, 1, 1, 1, 0, 1, 1) });
    const spoil = (values: reference.Floats, strides: reference.HeadStrides, width: number) => {
      for (const b of [0, 1])
        values.fill(1e15, b * strides.batch + 2 * strides.token, b * strides.batch + 2 * strides.token + width);
    };
    spoil(args.k, args.kStrides, 8);
    spoil(args.v, args.vStrides, 8);
    await expectLikeReference(device, FORWARD, 'attention', args);
    await expectLikeReference(device, BACKWARD, 'attentionBackward', args, attentionGradients(args));
  });

  it('stands scores that overflow exp', async () => {
    const large = { q: normals(40, 1, 60), k: normals(40, 2, 60) };
    const args = attentionArguments({ batch: 1, queries: 5, ...large });
    // Scores of 1e4 are rounded by 1e-3 before exp: only their order is certain.
    const rough = { rtol: 4e-3, atol: 4e-3 };
    await expectLikeReference(device, rough, 'attention', args);
    expectClose(
      args.out.map((x) => (Number.isFinite(x) ? 0 : 1)),
      new Float32Array(args.out.length),
      { rtol: 0, atol: 0 },
    );
  });

  it('has no keys, no queries, or no batch', async () => {
    await expectAttention(device, { keys: 0 });
    await expectAttention(device, { queries: 0, keys: 3 });
    await expectAttention(device, { batch: 0 });
  });

  it('changes only what the strides reach', async () => {
    const outStrides = { batch: 5 * 20, head: 4, token: 20 }; // room for five heads, two used
    const args = attentionArguments({ outStrides, out: dirty(2 * 5 * 20) });
    await expectLikeReference(device, FORWARD, 'attention', args);
  });
});

describe.each(devices)('attentionBackward on %s', (device) => {
  const names = [
    'full attention',
    'hidden keys, causal',
    'grouped queries',
    'a bias for each head',
    'dropout',
  ] as const;

  it.each([...names, 'everything at once'])('has the gradient of the reference: %s', async (name) => {
    const args = attentionArguments(CASES[name]!);
    await kernelsOf('reference')('attention', args);
    const gradients = { ...attentionGradients(args), dbias: args.bias ? new Float32Array(args.bias.length) : null };
    await kernelsOf(device)('attentionBackward', args, gradients);
    const check = (input: 'q' | 'k' | 'v' | 'bias', gradient: ArrayLike<number> | null) => {
      if (!gradient) return;
      const forward = (at: Float64Array) => {
        const out = new Float64Array(args.out.length);
        reference.attention({ ...args, out, lse: new Float64Array(args.lse.length), [input]: at });
        return out;
      };
      expectGradient(gradient, forward, args[input]!, gradients.g, BACKWARD, `d${input}`);
    };
    check('q', gradients.dq);
    check('k', gradients.dk);
    check('v', gradients.dv);
    check('bias', gradients.dbias);
  });

  it('recomputes its probabilities from lse', async () => {
    const args = attentionArguments({ queries: 5, windowRight: 0 });
    await kernelsOf('reference')('attention', args);
    args.lse.forEach((lse, i) => {
      args.lse[i] = lse + Math.LN2; // halves every probability
    });
    const tolerance = { rtol: 1e-5, atol: 128 * ROUNDING };
    await expectLikeReference(device, tolerance, 'attentionBackward', args, {
      ...attentionGradients(args),
      dbias: null,
    });
  });
});
