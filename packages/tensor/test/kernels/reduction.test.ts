import { devices, expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { dirty, LONG, normals, SIZES } from './inputs.js';
import { expectGradient, output, reference } from './reference-forward.js';
import { expectLikeReference, kernelsOf } from './run-kernel.js';
import { gradientOf, ROUNDING, sumOf } from './tolerances.js';

const EXACT = { rtol: 0, atol: 0 };
const EXTREMA = ['max', 'min', 'maxAbs'] as const;
const SUMS = ['sum', 'sumAbs', 'sumSquares'] as const;

/** [outer, length, inner]: the last axis, the first, one in the middle, and a single element. */
const SHAPES = [
  ...SIZES.map((length) => [3, length, 1] as const),
  ...SIZES.map((length) => [1, length, 5] as const),
  ...SIZES.map((inner) => [2, 7, inner] as const),
  ...LONG.map((length) => [2, length, 1] as const),
  ...LONG.map((length) => [1, length, 3] as const),
  [1, 1, 1],
  [0, 3, 2],
  [2, 3, 0],
] as const;

describe.each(devices)('reduce on %s', (device) => {
  it.each(SUMS)('%s over an axis', async (op) => {
    for (const [outer, length, inner] of [...SHAPES, [2, 0, 3] as const]) {
      const x = normals(outer * length * inner, length);
      await expectLikeReference(device, sumOf(length, 2), 'reduce', op, x, dirty(outer * inner), outer, length, inner);
    }
  });

  it.each(EXTREMA)('%s over an axis', async (op) => {
    for (const [outer, length, inner] of SHAPES) {
      const x = normals(outer * length * inner, length);
      await expectLikeReference(device, EXACT, 'reduce', op, x, dirty(outer * inner), outer, length, inner);
    }
  });

  it.each([...SUMS, ...EXTREMA])('%s passes NaN on, wherever it stands', async (op) => {
    for (let at = 0; at < 19; at++) {
      const x = normals(19, 3);
      x[at] = NaN;
      const y = dirty(1);
      await kernelsOf(device)('reduce', op, x, y, 1, 19, 1);
      expect(y[0]).toBeNaN();
      const columns = dirty(19);
      await expectLikeReference(device, EXACT, 'reduce', 'max', x, columns, 1, 1, 19);
    }
  });

  it.each(EXTREMA)('%s of infinities', async (op) => {
    const x = Float32Array.of(-Infinity, -Infinity, 1, Infinity, -Infinity, 2);
    await expectLikeReference(device, EXACT, 'reduce', op, x, dirty(3), 3, 2, 1);
  });

  it('sums to infinity, not to NaN, where float32 ends on the way', async () => {
    for (const inner of [1, 3, 4, 16, 19]) {
      const y = dirty(inner);
      await kernelsOf(device)('reduce', 'sum', new Float32Array(1000 * inner).fill(1e36), y, 1, 1000, inner);
      expect([...y]).toEqual(new Array(inner).fill(Infinity));
    }
  });

  it('sums a million numbers with an error that does not grow', async () => {
    const size = 2 ** 20;
    const x = new Float32Array(size).fill(0.1);
    const y = dirty(1);
    for (const [length, inner] of [
      [size, 1],
      [size / 4, 4],
    ] as const) {
      const sums = dirty(inner);
      await kernelsOf(device)('reduce', 'sum', x, sums, 1, length, inner);
      // One running float32 sum would be off by 1e-2; blocks of 1024 in lanes by a few 1e-6.
      const exact = Math.fround(0.1) * length;
      expectClose(sums, new Float32Array(inner).fill(exact), { rtol: 1e-5, atol: 0 });
    }
    await kernelsOf(device)('sumSquares', x, y, size, false);
    expectClose(y, [Math.fround(0.1) ** 2 * size], { rtol: 4 * ROUNDING, atol: 0 });
  });
});

describe.each(devices)('reduceExtremumBackward on %s', (device) => {
  it.each(EXTREMA)('%s has the gradient of the reference', async (op) => {
    for (const [outer, length, inner] of SHAPES.filter(([, length]) => length < 1000)) {
      const [x, g] = [normals(outer * length * inner, 1), normals(outer * inner, 2)];
      const forward = (at: ArrayLike<number>) =>
        output(outer * inner, (y) => reference.reduce(op, Float64Array.from(at), y, outer, length, inner));
      const [y, dx] = [Float32Array.from(forward(x)), dirty(x.length)];
      const sizes = [outer, length, inner] as const;
      await expectLikeReference(device, gradientOf(), 'reduceExtremumBackward', op, x, y, g, dx, ...sizes);
      expectGradient(dx, forward, x, g, gradientOf());
    }
  });

  it.each(EXTREMA)('%s shares the gradient among ties', async (op) => {
    const x = Float32Array.of(3, -3, 3, 1, -3, 3, 0, -3, -3, 3, 3, 1);
    const y = Float32Array.from(output(3, (values) => reference.reduce(op, x, values, 1, 4, 3)));
    await expectLikeReference(
      ...([device, gradientOf(), 'reduceExtremumBackward', op, x, y, normals(3, 1), dirty(12), 1, 4, 3] as const),
    );
  });
});

describe.each(devices)('argmax on %s', (device) => {
  it('finds the first largest of each row', async () => {
    for (const cols of [...SIZES, ...LONG]) {
      await expectLikeReference(device, EXACT, 'argmax', normals(5 * cols, cols), new Int32Array(5).fill(-7), 5, cols);
      const ties = normals(5 * cols, cols).map((x) => Math.round(x));
      await expectLikeReference(device, EXACT, 'argmax', ties, new Int32Array(5).fill(-7), 5, cols);
    }
  });

  it('counts NaN as largest, and knows infinities', async () => {
    const x = Float32Array.of(
      ...[1, NaN, Infinity, NaN, 2],
      ...[-Infinity, -Infinity, -Infinity, -Infinity, -Infinity],
      ...[-Infinity, -5, -Infinity, Infinity, Infinity],
      ...[NaN, NaN, NaN, NaN, NaN],
      ...[-0, 0, -0, 0, 0],
    );
    await expectLikeReference(device, EXACT, 'argmax', x, new Int32Array(5).fill(-7), 5, 5);
  });
});

describe.each(devices)('sumSquares on %s', (device) => {
  it('adds up squares, to what is there if asked', async () => {
    for (const size of [0, ...SIZES, ...LONG]) {
      for (const accumulate of [false, true]) {
        const y = Float32Array.of(0.7);
        await expectLikeReference(
          device,
          { rtol: 4 * ROUNDING, atol: 0 },
          'sumSquares',
          normals(size, 1),
          y,
          size,
          accumulate,
        );
      }
    }
  });

  it('does not overflow inside, and passes NaN and infinity on', async () => {
    const tolerance = { rtol: 4 * ROUNDING, atol: 0 };
    for (const x of [
      [NaN, 1],
      [Infinity, 1],
      [1e19, 1],
      [1e-30, 1e-30],
    ]) {
      await expectLikeReference(device, tolerance, 'sumSquares', Float32Array.from(x), dirty(1), 2, false);
    }
  });
});

describe.each(devices)('countNonFinite on %s', (device) => {
  it('counts NaN and infinities wherever they stand', async () => {
    for (const size of [0, ...SIZES, ...LONG]) {
      for (const accumulate of [false, true]) {
        const x = normals(size, 1);
        for (let i = 0; i < size; i += 3) x[i] = [NaN, Infinity, -Infinity][(i / 3) % 3]!;
        await expectLikeReference(device, EXACT, 'countNonFinite', x, Int32Array.of(5), size, accumulate);
      }
    }
  });

  it('does not count the largest numbers', async () => {
    const x = Float32Array.of(3.4028234663852886e38, -3.4028234663852886e38, 1e-45, -0);
    await expectLikeReference(device, EXACT, 'countNonFinite', x, Int32Array.of(9), 4, false);
  });
});
