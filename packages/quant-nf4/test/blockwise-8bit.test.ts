import { ShapeError, tensor, zeros } from '@burin/tensor';
import { EXACT, expectClose, readFixture, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { dequantizeBlockwise8, dynamicMap, quantizeBlockwise8 } from '../src/index.js';

describe.each(['blockwise8_signed', 'blockwise8_signed_bs64', 'blockwise8_unsigned'])(
  "quantizeBlockwise8 gives bitsandbytes' bytes: %s",
  (name) => {
    it('codes, scales and values', async () => {
      const fixture = readFixture('nf4', name);
      const map = dynamicMap(fixture.manifest.config.map !== 'dynamic_unsigned');
      expectClose(map, fixture.floats('code'), EXACT);
      const quantized = quantizeBlockwise8(tensor(fixture.floats('x'), fixture.shape('x')), {
        map,
        blockSize: fixture.number('blocksize'),
      });
      expectClose(await quantized.codes.data(), fixture.bytes('codes'), EXACT);
      expectClose(await quantized.absmax.data(), fixture.floats('absmax'), EXACT);
      expectClose(
        await dequantizeBlockwise8(quantized).data(),
        fixture.floats('dequantized'),
        fixture.tolerance('dequantized'),
      );
    });
  },
);

describe('quantizeBlockwise8', () => {
  it('adds an offset, keeps the shape, and zeros', async () => {
    const quantized = quantizeBlockwise8(tensor([0, 0, 0, 3, -3, 0], [2, 3]), { blockSize: 3 });
    expectClose(
      await dequantizeBlockwise8(quantized, { offset: 0.5 }).data(),
      [0.5, 0.5, 0.5, 3.5, -2.5 + 3 * (1 - 0.99297), 0.5],
      {
        rtol: 1e-5,
        atol: 1e-5, // the lowest entry of the signed map is -0.99297, written to five digits
      },
    );
    expect(quantized.codes.shape).toEqual([2, 3]);
  });

  it('refuses other maps and block sizes', () => {
    expect(() => quantizeBlockwise8(zeros([4]), { map: new Float32Array(255) })).toThrow(
      'quantizeBlockwise8: the map must have 256 entries in rising order, got 255',
    );
    expect(() => quantizeBlockwise8(zeros([4]), { map: dynamicMap(true).reverse() })).toThrow('in rising order');
    expect(() => quantizeBlockwise8(zeros([4]), { blockSize: 0 })).toThrow(
      'blockSize must be a whole number of 1 or more, got 0',
    );
  });

  it('refuses scales that do not fit', () => {
    const quantized = quantizeBlockwise8(tensor(seededRandom(1).normal(10)), { blockSize: 4 });
    expect(() => dequantizeBlockwise8({ ...quantized, blockSize: 5 })).toThrow(
      new ShapeError('dequantizeBlockwise8: absmax must have one scale a block: expected 2, got 3'),
    );
  });
});
