import { devices, expectClose, seededRandom } from '@burin/testing';
import { fc, it as property } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { dirty, normals, SIZES, withoutFlushed } from './inputs.js';
import { expectGradient, reference } from './reference-forward.js';
import { expectLikeReference, kernelsOf } from './run-kernel.js';
import { gradientOf, ROUNDING, sumOf } from './tolerances.js';

const TYPES = ['nf4', 'fp4'] as const;
const BLOCK_SIZES = [32, 64, 128];
const EXACT = { rtol: 0, atol: 0 };
/** A code times a scale; the scale of double quantization is a product and a sum. */
const DEQUANTIZED = { rtol: 4 * ROUNDING, atol: 0 };

const packedLength = (size: number) => Math.ceil(size / 2);
const signedMap = reference.dynamicMap8bit(true);

/** A weight of random codes and scales, plain or double quantized. */
function randomWeight(
  type: 'nf4' | 'fp4',
  size: number,
  blockSize: number,
  nestedBlockSize = 0,
): reference.FourBitWeight {
  const random = seededRandom(size + blockSize);
  const blocks = Math.ceil(size / blockSize);
  const isDouble = nestedBlockSize > 0;
  return {
    ...{ type, size, blockSize, packed: Uint8Array.from(random.integers(packedLength(size), 0, 256)) },
    absmax: isDouble ? null : random.uniform(blocks, 0.1, 2),
    absmaxCodes: isDouble ? Uint8Array.from(random.integers(blocks, 0, 256)) : null,
    nestedAbsmax: isDouble ? random.uniform(Math.ceil(blocks / nestedBlockSize), 0.1, 2) : null,
    nestedCode: isDouble ? signedMap : null,
    nestedOffset: isDouble ? 2.5 : 0, // larger than the codes reach: no scale cancels to nothing
    nestedBlockSize: isDouble ? nestedBlockSize : 256,
  };
}

describe.each(devices)('quantize4bit on %s', (device) => {
  describe.each(TYPES)('%s', (type) => {
    /** FP4 has two zeros, codes 0 and 8; which of them a tiny number gets is not fixed. */
    const quantize = async (values: Float32Array, blockSize: number) => {
      const x = Float32Array.from(withoutFlushed(device, [...values]));
      const outputs = () => [new Uint8Array(packedLength(x.length)), dirty(Math.ceil(x.length / blockSize))] as const;
      const [packed, absmax] = outputs();
      const [expectedPacked, expectedAbsmax] = outputs();
      await kernelsOf(device)('quantize4bit', type, x, packed, absmax, x.length, blockSize);
      reference.quantize4bit(type, x, expectedPacked, expectedAbsmax, x.length, blockSize);
      expectClose(nibbles(packed), nibbles(expectedPacked), EXACT, 'codes');
      expectClose(absmax, expectedAbsmax, EXACT, 'absmax');
    };
    const nibbles = (packed: Uint8Array) =>
      Array.from(packed).flatMap((byte) =>
        [byte >> 4, byte & 15].map((code) => (type === 'fp4' && code === 8 ? 0 : code)),
      );

    it('is its reference at every size and block size', async () => {
      for (const blockSize of BLOCK_SIZES) {
        for (const size of [0, ...SIZES, 1023]) await quantize(normals(size, size), blockSize);
      }
    });

    it('gives a block of zeros the code of 0, beside any other block', async () => {
      const x = normals(200, 1);
      x.fill(0, 64, 128);
      await quantize(x, 64);
      await quantize(new Float32Array(65), 64);
    });

    it('scales each block on its own, from the subnormal to the largest', async () => {
      const scales = [1e-40, 1e-30, 1, 1e30, 1e38, 3e38];
      await quantize(
        normals(6 * 32, 1).map((x, i) => Math.tanh(x) * scales[Math.floor(i / 32)]!),
        32,
      );
    });

    it('gives each code of the table back', async () => {
      const table = reference.CODES_4BIT[type];
      await quantize(
        Float32Array.from({ length: 64 }, (_, i) => table[i % 16]!),
        64,
      );
      await quantize(
        Float32Array.from({ length: 64 }, (_, i) => table[i % 16]! * 0.375),
        64,
      );
    });

    it('gives a number between two codes to the nearer one', async () => {
      const sorted = Float32Array.from(reference.CODES_4BIT[type]).sort();
      const middles = sorted.subarray(1).map((value, i) => (value + sorted[i]!) / 2);
      const nudged = [...middles].flatMap((value) => [value * (1 - 1e-6), value * (1 + 1e-6)]);
      await quantize(Float32Array.from([1, ...nudged]), 64); // the 1 makes absmax 1
    });

    property.prop(
      [fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 }), { maxLength: 150 })],
      {
        seed: 1,
        numRuns: 60,
      },
    )('is its reference for any numbers', (values) => quantize(Float32Array.from(values), 32));
  });
});

describe.each(devices)('dequantize4bit on %s', (device) => {
  it.each(TYPES)('%s is its reference, plain and double', async (type) => {
    for (const blockSize of [7, ...BLOCK_SIZES]) {
      for (const size of [0, ...SIZES, 1023]) {
        await expectLikeReference(
          device,
          DEQUANTIZED,
          'dequantize4bit',
          randomWeight(type, size, blockSize),
          dirty(size),
        );
        const double = randomWeight(type, size, blockSize, 2);
        await expectLikeReference(device, DEQUANTIZED, 'dequantize4bit', double, dirty(size));
      }
    }
  });
});

describe.each(devices)('quantize8bit on %s', (device) => {
  it.each([true, false])('is its reference with the dynamic map, signed: %s', async (signed) => {
    const code = reference.dynamicMap8bit(signed);
    for (const blockSize of [64, 256]) {
      for (const size of [0, ...SIZES, 1023]) {
        const x = normals(size, size).map((value) => (signed ? value : value * value));
        const outputs = [new Uint8Array(size), dirty(Math.ceil(size / blockSize))] as const;
        await expectLikeReference(device, EXACT, 'quantize8bit', x, code, ...outputs, size, blockSize);
      }
    }
  });

  it('gives a number between two entries to the nearer one, and a tie to the lower', async () => {
    const code = Float32Array.from({ length: 256 }, (_, i) => (i - 128) / 128); // halves between them are exact
    const ties = Float32Array.from({ length: 256 }, (_, i) => (i - 128.5) / 128).with(0, -1);
    for (const nudge of [0, 2 ** -12, -(2 ** -12)]) {
      const x = ties.map((value, i) => (i === 0 ? -1 : Math.min(value + nudge, 1)));
      await expectLikeReference(device, EXACT, 'quantize8bit', x, code, new Uint8Array(256), dirty(1), 256, 256);
    }
  });

  it('dequantizes a block of zeros to zeros', async () => {
    const [codes, absmax, y] = [new Uint8Array(70).fill(9), dirty(2), dirty(70)];
    await kernelsOf(device)('quantize8bit', new Float32Array(70), signedMap, codes, absmax, 70, 64);
    await kernelsOf(device)('dequantize8bit', codes, signedMap, absmax, y, 70, 64, 0);
    expectClose(y, new Float32Array(70), EXACT);
  });
});

describe.each(devices)('dequantize8bit on %s', (device) => {
  it('is its reference', async () => {
    for (const size of [0, ...SIZES, 1023]) {
      const codes = Uint8Array.from(seededRandom(size).integers(size, 0, 256));
      const absmax = seededRandom(1).uniform(Math.ceil(size / 64), 0.1, 3);
      const rounded = { rtol: 4 * ROUNDING, atol: 8 * ROUNDING }; // product and offset may cancel
      for (const offset of [0, 0.7]) {
        await expectLikeReference(
          device,
          rounded,
          'dequantize8bit',
          codes,
          signedMap,
          absmax,
          dirty(size),
          size,
          64,
          offset,
        );
      }
    }
  });
});

describe.each(devices)('matmul4bit on %s', (device) => {
  /** [rows of x, outFeatures, inFeatures]: blocks of 64 cross rows, end inside one, and an odd number of elements. */
  const SHAPES = [
    ...[
      [1, 1, 1],
      [1, 5, 7],
      [3, 7, 5],
      [2, 3, 64],
      [5, 64, 3],
      [17, 33, 63],
      [7, 65, 130],
      [1, 130, 65],
    ],
    ...[
      [33, 16, 128],
      [4, 128, 64],
      [1, 64, 256],
      [66, 9, 40],
    ],
  ] as [number, number, number][];
  const tolerance = sumOf(130, 2);

  it.each(TYPES)('%s is its reference, forward and transposed', async (type) => {
    for (const [m, outFeatures, inFeatures] of SHAPES) {
      for (const nested of [0, 3]) {
        const weight = randomWeight(type, outFeatures * inFeatures, 64, nested);
        for (const transpose of [false, true]) {
          const [n, k] = transpose ? [inFeatures, outFeatures] : [outFeatures, inFeatures];
          const sizes = [m, outFeatures, inFeatures, transpose] as const;
          const x = normals(m * k, 1);
          await expectLikeReference(device, tolerance, 'matmul4bit', x, weight, null, dirty(m * n), ...sizes, false);
          await expectLikeReference(
            device,
            tolerance,
            'matmul4bit',
            x,
            weight,
            null,
            normals(m * n, 2),
            ...sizes,
            true,
          );
          if (transpose) continue;
          const bias = normals(n, 3);
          await expectLikeReference(device, tolerance, 'matmul4bit', x, weight, bias, dirty(m * n), ...sizes, false);
          await expectLikeReference(
            device,
            tolerance,
            'matmul4bit',
            x,
            weight,
            bias,
            normals(m * n, 2),
            ...sizes,
            true,
          );
        }
      }
    }
  });

  it.each(BLOCK_SIZES)('takes blocks of %d', async (blockSize) => {
    const weight = randomWeight('nf4', 19 * 70, blockSize);
    const sizes = [5, 19, 70] as const;
    await expectLikeReference(
      device,
      tolerance,
      'matmul4bit',
      normals(350, 1),
      weight,
      null,
      dirty(95),
      ...sizes,
      false,
      false,
    );
    await expectLikeReference(
      device,
      tolerance,
      'matmul4bit',
      normals(95, 1),
      weight,
      null,
      dirty(350),
      ...sizes,
      true,
      false,
    );
  });

  it.each(TYPES)('%s is its reference for the few rows of decoding', async (type) => {
    // around what decoding by look-up asks for: 1 to 5 rows, 128 columns or more in sixteens, rows of whole blocks, blocks of
    // whole chunks of 64 inputs, sizes of blocks that are powers of two
    const shapes = [
      ...[1, 2, 3, 5, 6].flatMap((m) => [112, 127, 128, 144].map((n) => [m, n, 64, 64] as const)),
      ...[1024, 1030].map((n) => [1, n, 64, 64] as const),
      ...[32, 64, 128, 192, 256].map((blockSize) => [2, 144, 192, blockSize] as const),
      ...[0, 63, 65, 96, 1216].map((k) => [1, 144, k, 64] as const),
      ...[128, 256].map((blockSize) => [1, 144, 512, blockSize] as const),
    ];
    for (const [m, n, k, blockSize] of shapes) {
      const x = normals(m * k, 1);
      for (const nested of [0, 3, 4]) {
        const weight = randomWeight(type, n * k, blockSize, nested);
        for (const [bias, isSum] of [
          [null, false],
          [normals(n, 3), false],
          [normals(n, 3), true],
        ] as const) {
          const y = isSum ? normals(m * n, 2) : dirty(m * n);
          const sums = sumOf(k, nested > 0 ? 4 : 2); // the scales
          await expectLikeReference(device, sums, 'matmul4bit', x, weight, bias, y, m, n, k, false, isSum);
        }
      }
    }
  });

  it.each(TYPES)('%s is its reference for few rows of x and long ones of the weight', async (type) => {
    // around what GPUs have a kernel for: up to 8 rows, even lengths from 256 on, blocks of an even size. Rows begin and end
    // at any of three places in a float of six codes, and inside blocks; blocks cross rows and floats
    const shapes = [
      ...[1, 2, 7, 8, 9].map((m) => [m, 5, 260, 64] as const),
      ...[254, 255, 256, 257, 258, 262, 1100].map((k) => [2, 7, k, 64] as const),
      ...[6, 32, 100, 128, 256, 512, 4096].map((blockSize) => [1, 19, 334, blockSize] as const),
      [1, 3, 258, 5],
      [1, 3, 258, 7],
    ] as const;
    for (const [m, n, k, blockSize] of shapes) {
      const x = normals(m * k, 1);
      for (const nested of [0, 3]) {
        const weight = randomWeight(type, n * k, blockSize, nested);
        for (const bias of [null, normals(n, 3)]) {
          const y = bias ? normals(m * n, 2) : dirty(m * n);
          const sums = sumOf(k, nested > 0 ? 4 : 2); // the scales
          await expectLikeReference(device, sums, 'matmul4bit', x, weight, bias, y, m, n, k, false, bias !== null);
        }
      }
    }
  });

  it.each([false, true])('takes a weight of more than a million numbers, transposed: %s', async (transpose) => {
    const [out, inner] = [1030, 1024]; // GL decodes it in panels of 2²⁰ numbers
    const [n, k] = transpose ? [inner, out] : [out, inner];
    const weight = randomWeight('nf4', out * inner, 64);
    const [x, sizes] = [normals(k, 1), [1, out, inner, transpose, false] as const];
    await expectLikeReference(device, sumOf(k, 2), 'matmul4bit', x, weight, null, dirty(n), ...sizes);
  });

  it('keeps a scale that is not a number in its own row, where floats of codes cross rows', async () => {
    const [n, k] = [5, 260];
    const weight = randomWeight('nf4', n * k, k);
    weight.absmax![2] = Number.NaN;
    const y = dirty(n);
    await kernelsOf(device)('matmul4bit', normals(k, 1), weight, null, y, 1, n, k, false, false);
    expect(Array.from(y, Number.isNaN)).toEqual([false, false, true, false, false]);
  });

  it('is as exact with inputs of every size: a sum is off by roundings of its largest product', async () => {
    const [n, k] = [144, 256];
    const weight = randomWeight('nf4', n * k, 64);
    for (const sizeOf of [
      (i: number) => 10 ** ((i % 64) / 8), // in one chunk
      (i: number) => 1e-36 * 10 ** (i >> 3), // from one to the next, tiny ones and zeros among them
      (i: number) => (i % 64 === 9 ? 1e6 : 1), // an outlier
    ]) {
      const x = Float32Array.from(
        withoutFlushed(
          device,
          [...normals(k, 1)].map((value, i) => value * sizeOf(i)),
        ),
      );
      x.fill(0, 64, 128);
      const largest = x.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      // of 64 products, each rounded to 2⁻²⁴ of the largest, times scales up to 2: four standard deviations
      const tolerance = { rtol: 16 * ROUNDING, atol: 40 * ROUNDING * largest };
      await expectLikeReference(device, tolerance, 'matmul4bit', x, weight, null, dirty(n), 1, n, k, false, false);
    }
  });

  it.each([
    [130, 64],
    [144, 64],
    [7, 260],
  ])('multiplies by zero as IEEE 754 does: an infinite input is infinite or not a number (%i × %i)', async (n, k) => {
    const weight = randomWeight('nf4', n * k, 64);
    weight.packed.fill(0x77, k / 2, k); // zeros
    for (const odd of [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, Number.NaN]) {
      const x = normals(k, 1).with(5, odd);
      const y = dirty(n);
      await kernelsOf(device)('matmul4bit', x, weight, null, y, 1, n, k, false, false);
      const expected = new Float32Array(n);
      reference.matmul4bit(x, weight, null, expected, 1, n, k, false, false);
      expect(Array.from(y, (value) => (Number.isFinite(value) ? 0 : value))).toEqual(Array.from(expected));
      expect(y[1]).toBeNaN();
    }
  });

  it('has the gradient of the reference with respect to x', async () => {
    const [m, outFeatures, inFeatures] = [3, 7, 10];
    const weight = randomWeight('nf4', 70, 32);
    const [x, g, dx] = [normals(m * inFeatures, 1), normals(m * outFeatures, 2), dirty(m * inFeatures)];
    await kernelsOf(device)('matmul4bit', g, weight, null, dx, m, outFeatures, inFeatures, true, false);
    const forward = (at: Float64Array) => {
      const y = new Float64Array(m * outFeatures);
      reference.matmul4bit(at, weight, null, y, m, outFeatures, inFeatures, false, false);
      return y;
    };
    expectGradient(dx, forward, x, g, gradientOf(8));
  });

  it('has no rows', async () => {
    const weight = randomWeight('nf4', 15, 64);
    await expectLikeReference(device, tolerance, 'matmul4bit', dirty(0), weight, null, dirty(0), 0, 3, 5, false, false);
  });
});
