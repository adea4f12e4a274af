import { describe, it } from 'vitest';
import { expectClose } from '../../src/index.js';
import * as reference from '../../src/reference/index.js';
import { expectGradient, inputs } from './gradient.js';

const [B, T, S, H, K, D, E] = [2, 3, 5, 4, 2, 3, 2]; // E: size of a value
const STREAM = { seedLow: 7, seedHigh: 0, offsetLow: 3, offsetHigh: 0 };

/** Arguments over [B, T, H, D] tensors, with everything switched on. */
function argumentsOf(
  q: Float64Array,
  k: Float64Array,
  v: Float64Array,
  bias: Float64Array,
): reference.AttentionArguments {
  const packed = (tokens: number, heads: number, size: number) => ({
    batch: tokens * heads * size,
    head: size,
    token: heads * size,
  });
  return {
    ...{ q, k, v, bias, out: new Float64Array(B * T * H * E), lse: new Float64Array(B * H * T) },
    ...{ qStrides: packed(T, H, D), kStrides: packed(S, K, D), vStrides: packed(S, K, E), outStrides: packed(T, H, E) },
    ...{ batch: B, heads: H, kvHeads: K, queries: T, keys: S, headDim: D, valueDim: E, scale: 0.7 },
    ...{ windowLeft: 2, windowRight: 1, queryOffset: 2, keyMask: Uint8Array.of(1, 1, 0, 1, 1, 1, 0, 1, 1, 1) },
    querySegments: Int32Array.of(0, 0, 1, 0, 1, 1),
    keySegments: Int32Array.of(0, 0, 0, 1, 1, 0, 0, 0, 0, 1),
    ...{ biasStrides: { batch: 0, head: T * S, token: S }, dropout: 0.3, stream: STREAM },
  };
}

describe('attention', () => {
  const [q, k, v] = [inputs(1, B * T * H * D), inputs(2, B * S * K * D), inputs(3, B * S * K * E)];
  const [bias, g] = [inputs(4, H * T * S), inputs(5, B * T * H * E)];
  const forward = (...inputsAt: [Float64Array, Float64Array, Float64Array, Float64Array]) => {
    const args = argumentsOf(...inputsAt);
    reference.attention(args);
    return args.out as Float64Array;
  };

  it('has the gradient of its values, with masks, segments, bias and dropout', () => {
    const args = argumentsOf(q, k, v, bias);
    reference.attention(args);
    const gradients = {
      g,
      dq: new Float64Array(q.length).fill(9), // overwritten
      dk: new Float64Array(k.length).fill(9),
      dv: new Float64Array(v.length).fill(9),
      dbias: new Float64Array(bias.length),
    };
    reference.attentionBackward(args, gradients);
    expectGradient(gradients.dq, (at) => forward(at, k, v, bias), q, g);
    expectGradient(gradients.dk, (at) => forward(q, at, v, bias), k, g);
    expectGradient(gradients.dv, (at) => forward(q, k, at, bias), v, g);
    expectGradient(gradients.dbias, (at) => forward(q, k, v, at), bias, g);
  });

  it('gives zeros and lse −∞ to a query that sees no key', () => {
    const args = { ...argumentsOf(q, k, v, bias), keyMask: new Uint8Array(B * S) };
    reference.attention(args);
    expectClose(args.out, new Float64Array(args.out.length), { rtol: 0, atol: 0 });
    expectClose(args.lse, new Float64Array(args.lse.length).fill(-Infinity), { rtol: 0, atol: 0 });
  });
});

describe('rope', () => {
  it.each([true, false])('has the gradient of its values, interleaved: %s', (interleaved) => {
    const [rotaryDim, headDim, tokens] = [4, 5, 3];
    const angles = inputs(6, 7 * (rotaryDim / 2));
    const x = inputs(7, B * tokens * H * headDim);
    const rotated = (at: Float64Array, inverse: boolean) => {
      const y = new Float64Array(at.length);
      reference.rope({
        ...{
          x: at,
          y,
          positions: Int32Array.of(0, 6, 2, 3, 1, 5),
          cos: angles.map(Math.cos),
          sin: angles.map(Math.sin),
        },
        strides: { batch: tokens * H * headDim, head: headDim, token: H * headDim },
        ...{ batch: B, heads: H, tokens, headDim, rotaryDim, interleaved, inverse, tableRows: 7 },
      });
      return y;
    };
    const g = inputs(8, x.length);
    expectGradient(rotated(g, true), (at) => rotated(at, false), x, g);
  });
});
