import { devices, seededRandom } from '@burin/testing';
import { describe, it } from 'vitest';
import { headsFirst, tokensFirst } from './attention-arguments.js';
import { dirty, normals } from './inputs.js';
import { expectGradient, output, reference } from './reference-forward.js';
import { expectLikeReference, kernelsOf } from './run-kernel.js';
import { gradientOf, sumOf } from './tolerances.js';

/** Two products, one addition. */
const ROTATED = sumOf(1, 4);
const TABLE_ROWS = 19;

type Options = Partial<reference.RopeArguments> & { inPlace?: boolean };

function ropeArguments({ inPlace = false, ...options }: Options): reference.RopeArguments {
  const { batch = 2, heads = 3, tokens = 5, headDim = 8, rotaryDim = headDim } = options;
  const angles = normals((TABLE_ROWS * rotaryDim) / 2, 2, 3);
  const x = normals(batch * tokens * heads * headDim, 1);
  return {
    ...{ x, y: inPlace ? x : dirty(x.length), positions: seededRandom(3).integers(batch * tokens, 0, TABLE_ROWS) },
    ...{ cos: angles.map(Math.cos), sin: angles.map(Math.sin), strides: tokensFirst(tokens, heads, headDim) },
    ...{ interleaved: false, inverse: false, tableRows: TABLE_ROWS },
    ...options,
    ...{ batch, heads, tokens, headDim, rotaryDim },
  };
}

describe.each(devices)('rope on %s', (device) => {
  describe.each([true, false])('interleaved: %s', (interleaved) => {
    it.each([true, false])('is its reference, inverse: %s', async (inverse) => {
      for (const [headDim, rotaryDim] of [
        ...[
          [2, 2],
          [6, 6],
          [7, 4],
          [8, 8],
          [10, 2],
          [16, 16],
          [20, 12],
        ],
        ...[
          [64, 64],
          [65, 64],
          [66, 66],
          [80, 32],
          [128, 128],
          [130, 62],
        ],
      ] as const) {
        const options = { headDim: headDim!, rotaryDim: rotaryDim!, interleaved, inverse };
        await expectLikeReference(device, ROTATED, 'rope', ropeArguments(options));
        await expectLikeReference(device, ROTATED, 'rope', ropeArguments({ ...options, inPlace: true }));
      }
    });

    it('reads and writes any strides', async () => {
      const strides = headsFirst(5, 3, 8);
      await expectLikeReference(device, ROTATED, 'rope', ropeArguments({ interleaved, strides }));
      // q inside [B, T, (q, k, v)]: what lies beside it stays as it is
      const fused = { batch: 5 * 72, head: 8, token: 72 };
      const x = normals(2 * 5 * 72, 4);
      await expectLikeReference(device, ROTATED, 'rope', ropeArguments({ interleaved, strides: fused, x, y: x }));
    });

    it('has the gradient of the reference: turning back', async () => {
      const args = ropeArguments({ interleaved, headDim: 10, rotaryDim: 6 });
      const [g, dx] = [normals(args.x.length, 5), dirty(args.x.length)];
      await kernelsOf(device)('rope', { ...args, x: g, y: dx, inverse: true });
      const forward = (at: Float64Array) => output(at.length, (y) => reference.rope({ ...args, x: at, y }));
      expectGradient(dx, forward, args.x, g, gradientOf(4));
    });
  });

  it('has no tokens, no heads or no batch', async () => {
    for (const empty of [{ tokens: 0 }, { heads: 0 }, { batch: 0 }]) {
      await expectLikeReference(device, ROTATED, 'rope', ropeArguments(empty));
    }
  });

  it('turns nothing where rotaryDim is 0', async () => {
    await expectLikeReference(device, ROTATED, 'rope', ropeArguments({ rotaryDim: 0 }));
  });
});
