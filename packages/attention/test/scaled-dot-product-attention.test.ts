import { attentionWeights, scaledDotProductAttention } from '@burin/attention';
import { full, Generator, type Tensor, tensor, zeros } from '@burin/tensor';
import { checkGradient, devices, EXACT, expectClose, FLOAT32, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { type ReferenceCase, referenceAttention } from './reference.js';

/** Sums of up to 129 products in another order: a few more roundings than one operation. */
const SUMS = { rtol: 1e-5, atol: 2e-6 };

const BASE: ReferenceCase = { B: 2, H: 4, K: 2, T: 5, S: 7, D: 3, Dv: 5 };

/** The operation's options for a case of the reference. */
function optionsOf(c: ReferenceCase) {
  const { B, T, S } = c;
  return {
    layout: 'bthd' as const,
    scale: c.scale ?? null,
    causal: c.causal ?? false,
    window: c.window ?? null,
    queryOffset: c.queryOffset ?? 0,
    keyPaddingMask: c.keyMask ? tensor(c.keyMask, [B, S]) : null,
    segments: c.keySegments ? { query: tensor(c.querySegments!, [B, T]), key: tensor(c.keySegments, [B, S]) } : null,
  };
}

const shapesOf = ({ B, H, K, T, S, D, Dv }: ReferenceCase) => [
  [B, T, H, D],
  [B, S, K, D],
  [B, S, K, Dv],
];

const random = (seed: number, shape: readonly number[]) =>
  tensor(seededRandom(seed).normal(shape.reduce((a, b) => a * b)), shape);

describe.each(devices)('scaledDotProductAttention on %s', (device) => {
  // golden, by hand: scores 0 and ln 3 give probabilities 1/4 and 3/4
  it('sums values by the softmax of the scores', async () => {
    const q = tensor([1], [1, 1, 1, 1], { device });
    const k = tensor([0, Math.log(3)], [1, 1, 2, 1], { device });
    const v = tensor([4, 8], [1, 1, 2, 1], { device });
    const out = scaledDotProductAttention(q, k, v, { layout: 'bhtd' });
    expectClose(await out.data(), [7], FLOAT32);
  });

  const cases: [string, Partial<ReferenceCase>][] = [
    ['without masks', {}],
    ['with a scale', { scale: 0.7 }],
    ['causal', { causal: true }],
    ['causal from an offset', { causal: true, queryOffset: 2 }],
    ['with a window to both sides', { window: 2 }],
    ['with a causal window', { causal: true, window: 3, queryOffset: 1 }],
    ['with padding', { keyMask: Uint8Array.of(1, 1, 1, 1, 1, 0, 0, 0, 1, 1, 0, 1, 1, 1) }],
    [
      'with segments',
      {
        querySegments: Int32Array.of(0, 0, 1, 1, 2, 5, 5, 5, 5, 5),
        keySegments: Int32Array.of(0, 0, 0, 1, 1, 2, 2, 5, 5, 5, 7, 7, 7, 5),
      },
    ],
    ['with one key head for all', { K: 1 }],
    ['with a key head each', { K: 4 }],
    ['where a query sees no key', { keyMask: new Uint8Array(14), causal: true }],
  ];

  it.each(cases)('has the values and gradients of the reference %s', async (_, change) => {
    const c = { ...BASE, ...change };
    await checkGradient({
      device,
      shapes: shapesOf(c),
      run: ([q, k, v]) => scaledDotProductAttention(q!, k!, v!, optionsOf(c)),
      reference: ([q, k, v]) => referenceAttention(c, q!, k!, v!),
    });
  });

  it.each([[[2, 4, 5]], [[1, 4, 5]], [[2, 1, 5]], [[1, 1, 5]], [[2, 1, 1]]] as const)(
    'has the gradient of the reference with a bias of %j and all keys',
    async ([b, h, t]) => {
      const c = { ...BASE, causal: true, queryOffset: 2 };
      await checkGradient({
        device,
        shapes: [...shapesOf(c), [b, h, t, c.S]],
        run: ([q, k, v, bias]) => scaledDotProductAttention(q!, k!, v!, { ...optionsOf(c), bias: bias! }),
        reference: ([q, k, v, bias]) => referenceAttention({ ...c, bias: bias!, biasShape: [b, h, t] }, q!, k!, v!),
      });
    },
  );

  it('drops probabilities by its generator, the same ones in the backward pass', async () => {
    const c = { ...BASE, dropout: 0.4, stream: new Generator(9).reserve(0) };
    await checkGradient({
      device,
      shapes: shapesOf(c),
      run: ([q, k, v]) =>
        scaledDotProductAttention(q!, k!, v!, { layout: 'bthd', dropout: 0.4, rng: new Generator(9) }),
      reference: ([q, k, v]) => referenceAttention(c, q!, k!, v!),
    });
  });

  it.each([1, 63, 64, 65, 129])('has the values of the reference at the borders of blocks: %i tokens', async (T) => {
    const masks: Partial<ReferenceCase>[] = [{}, { causal: true }, { causal: true, window: 64 }, { window: 33 }];
    for (const mask of masks) {
      const c: ReferenceCase = { B: 1, H: 2, K: 1, T, S: T, D: 8, Dv: 8, ...mask };
      const [q, k, v] = shapesOf(c).map((shape, i) => random(i, shape)) as [Tensor, Tensor, Tensor];
      const out = scaledDotProductAttention(q, k, v, optionsOf(c));
      const wide = (await Promise.all([q, k, v].map((x) => x.data()))).map((x) => Float64Array.from(x));
      expectClose(await out.data(), referenceAttention(c, wide[0]!, wide[1]!, wide[2]!), SUMS);
    }
  });

  it('has the gradient of the reference across the border of a block', async () => {
    const c: ReferenceCase = { B: 1, H: 2, K: 1, T: 65, S: 65, D: 2, Dv: 1, causal: true };
    await checkGradient({
      device,
      shapes: shapesOf(c),
      run: ([q, k, v]) => scaledDotProductAttention(q!, k!, v!, optionsOf(c)),
      reference: ([q, k, v]) => referenceAttention(c, q!, k!, v!),
    });
  });

  it('gives zeros, and no gradient, to a query that sees no key', async () => {
    const [q, k, v] = shapesOf(BASE).map((shape, i) => Object.assign(random(i, shape), { requiresGrad: true }));
    const keyPaddingMask = tensor(new Uint8Array(14).fill(1, 7), [2, 7], { device }); // the first row is all padding
    const out = scaledDotProductAttention(q!, k!, v!, { layout: 'bthd', keyPaddingMask });
    out.sum().backward();
    const half = out.size / 2;
    expectClose((await out.data()).subarray(0, half), new Float32Array(half), EXACT);
    for (const leaf of [q, k, v]) {
      const gradient = await leaf!.grad!.data();
      expectClose(gradient.subarray(0, leaf!.size / 2), new Float32Array(leaf!.size / 2), EXACT);
      expect(gradient.every(Number.isFinite)).toBe(true);
    }
  });

  it('reads the keys in use only, and gives the others gradient 0', async () => {
    const [q, k, v] = shapesOf(BASE).map((shape, i) => random(i, shape)) as [Tensor, Tensor, Tensor];
    const room = (x: Tensor) => {
      const [B, , K, D] = x.shape as [number, number, number, number];
      return Object.assign(tensor(new Float32Array(B * 12 * K * D).fill(NaN), [B, 12, K, D]).assign_(x, 1, 0), {
        requiresGrad: true,
      });
    };
    const [roomyK, roomyV] = [room(k), room(v)];
    const out = scaledDotProductAttention(q, roomyK, roomyV, { layout: 'bthd', keys: 7 });
    expectClose(await out.data(), await scaledDotProductAttention(q, k, v, { layout: 'bthd' }).data(), EXACT);
    const dirt = Array.from({ length: 20 }, () => full(roomyV.shape, NaN)); // memory that is handed out again is not zero
    for (const piece of dirt) piece.dispose();
    out.sum().backward();
    for (const leaf of [roomyK, roomyV]) {
      const behind = await leaf.grad!.narrow(1, 7, 5).data();
      expectClose(behind, new Float32Array(behind.length), EXACT);
    }
  });

  it('reads half-precision operands', async () => {
    const [q, k, v] = shapesOf(BASE).map((shape, i) => random(i, shape).to('bfloat16')) as [Tensor, Tensor, Tensor];
    const out = scaledDotProductAttention(q, k, v, { layout: 'bthd' });
    const wide = [q, k, v].map((x) => x.to('float32')) as [Tensor, Tensor, Tensor];
    expect(out.dtype).toBe('float32');
    expectClose(await out.data(), await scaledDotProductAttention(...wide, { layout: 'bthd' }).data(), EXACT);
  });

  it('takes a batch of no rows, also in the backward pass', async () => {
    const [q, k, v] = [1, 2, 3].map(() => zeros([0, 64, 2, 64], { device, requiresGrad: true }));
    scaledDotProductAttention(q!, k!, v!, { layout: 'bthd', causal: true }).sum().backward();
    for (const leaf of [q, k, v]) expect(leaf!.grad!.shape).toEqual([0, 64, 2, 64]);
  });

  it('frees all but what it returns', () => {
    const operands = shapesOf(BASE).map((shape, i) => Object.assign(random(i, shape), { requiresGrad: true }));
    const { memory } = operands[0]!.device;
    const before = memory.liveBuffers;
    const out = scaledDotProductAttention(operands[0]!, operands[1]!, operands[2]!, { layout: 'bthd' });
    const g = zeros(out.shape);
    out.backward(g);
    for (const used of [out, g, ...operands.map(({ grad }) => grad!)]) used.dispose();
    expect(memory.liveBuffers).toBe(before);
  });
});

describe('scaledDotProductAttention refuses', () => {
  const q = zeros([2, 4, 5, 3]);
  const k = zeros([2, 2, 7, 3]);
  const attend = (operands: [Tensor, Tensor, Tensor], options = {}) =>
    scaledDotProductAttention(...operands, { layout: 'bhtd', ...options });

  it.each<[string, [Tensor, Tensor, Tensor], string]>([
    [
      'three axes',
      [zeros([2, 5, 3]), k, k],
      "q must have the axes of layout 'bhtd': expected [B, H, T, D], got [2,5,3]",
    ],
    ['another batch', [q, zeros([1, 2, 7, 3]), k], 'k must have the batch of q: expected 2, got 1 (q is [2,4,5,3]'],
    ['another batch of values', [q, k, zeros([3, 2, 7, 3])], 'v must have the batch of q: expected 2, got 3'],
    ['another head size', [q, zeros([2, 2, 7, 4]), k], 'k must have the head size of q: expected 3, got 4'],
    ['other tokens', [q, k, zeros([2, 2, 6, 3])], 'v must have as many tokens as k: expected 7, got 6'],
    ['other heads of values', [q, k, zeros([2, 1, 7, 3])], 'v must have as many heads as k: expected 2, got 1'],
    [
      'heads that do not share',
      [q, zeros([2, 3, 7, 3]), zeros([2, 3, 7, 3])],
      'the heads of q must be a multiple of those of k: expected a multiple of 3, got 4',
    ],
  ])('%s', (_, operands, message) => {
    expect(() => attend(operands)).toThrow(message);
  });

  it('options that are none, which would be passed over, or none at all', () => {
    expect(() => attend([q, k, k], { isCausal: true })).toThrow(
      'scaledDotProductAttention: there is no option isCausal; expected layout, causal,',
    );
    const bare = scaledDotProductAttention as unknown as (...operands: Tensor[]) => Tensor;
    expect(() => bare(q, k, k)).toThrow('scaledDotProductAttention: options have names: expected { layout, causal,');
    expect(() => attentionWeights(q, k, { layout: 'bhtd', attnMask: k } as { layout: 'bhtd' })).toThrow(
      'attentionWeights: there is no option attnMask',
    );
  });

  it.each([
    ['a mask that is not uint8', { keyPaddingMask: zeros([2, 7]) }, 'keyPaddingMask must be uint8, got float32'],
    [
      'a mask of another length',
      { keyPaddingMask: zeros([2, 5], { dtype: 'uint8' }) },
      'keyPaddingMask must have a number for each token: expected [2,7], got [2,5]',
    ],
    [
      'one tensor of segments for two lengths',
      { segments: zeros([2, 5], { dtype: 'int32' }) },
      'key segments must have a number for each token: expected [2,7], got [2,5]',
    ],
    ['segments that are not int32', { segments: { query: zeros([2, 5]), key: zeros([2, 7]) } }, 'must be int32'],
    [
      'a bias that does not fit',
      { bias: zeros([2, 3, 5, 7]) },
      'bias must be [1 or B, 1 or H, 1 or T, S]: expected [1 or 2, 1 or 4, 1 or 5, 7], got [2,3,5,7]',
    ],
    ['a bias of three axes', { bias: zeros([4, 5, 7]) }, 'got [4,5,7]'],
    ['a window of 0', { window: 0 }, 'window must be a whole number of 1 or more, got 0'],
    ['a layout that is none', { layout: 'BTHD' }, "layout must be 'bhtd' or 'bthd', got BTHD"],
    ['a scale that is no number', { scale: NaN }, 'scale must be a finite number, got NaN'],
    ['a negative offset', { queryOffset: -1 }, 'queryOffset must be a whole number of 0 or more, got -1'],
    ['more keys than there are', { keys: 8 }, 'keys must be from 0 to the 7 tokens of k, got 8'],
    ['a dropout of 1', { dropout: 1 }, 'dropout must be in [0, 1), got 1'],
    ['dropout without a generator', { dropout: 0.1 }, 'needs a random generator; pass rng: new Generator(seed)'],
  ])('%s', (_, options, message) => {
    expect(() => attend([q, k, k], options)).toThrow(message);
  });
});
