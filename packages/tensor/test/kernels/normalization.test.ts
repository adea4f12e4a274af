import { devices } from '@burin/testing';
import { describe, it } from 'vitest';
import { awayFromZero, dirty, LONG, normals, positives, SIZES } from './inputs.js';
import { expectGradient, output, reference } from './reference-forward.js';
import { expectLikeReference } from './run-kernel.js';
import { gradientOf, sumOf } from './tolerances.js';

const EPS = 1e-3;
const ROWS = 3;
const float64 = (array: ArrayLike<number>) => Float64Array.from(array);
/** Means of up to 130 numbers of size 1, then a few roundings. */
const NORMALIZED = sumOf(8, 4);

describe.each(devices)('rmsNorm on %s', (device) => {
  it('is its reference at every width, with and without weight', async () => {
    for (const cols of [...SIZES, ...LONG]) {
      for (const weight of [awayFromZero(cols, 2), null]) {
        const x = normals(ROWS * cols, cols);
        await expectLikeReference(
          device,
          NORMALIZED,
          'rmsNorm',
          x,
          weight,
          dirty(x.length),
          dirty(ROWS),
          ROWS,
          cols,
          EPS,
        );
      }
    }
    await expectLikeReference(device, NORMALIZED, 'rmsNorm', dirty(0), dirty(4), dirty(0), dirty(0), 0, 4, EPS);
  });

  it('gives zeros for a row of zeros, and keeps NaN and infinity in their row', async () => {
    const cols = 19;
    const x = normals(4 * cols, 1);
    x.fill(0, 0, cols);
    x[cols + 7] = NaN;
    x[2 * cols + 18] = Infinity;
    await expectLikeReference(device, NORMALIZED, 'rmsNorm', x, null, dirty(x.length), dirty(4), 4, cols, 1e-6);
  });

  it('has the gradient of the reference, and adds to dweight', async () => {
    for (const cols of SIZES) {
      const [x, weight, g] = [awayFromZero(ROWS * cols, 1), awayFromZero(cols, 2), normals(ROWS * cols, 3)];
      const forward = (xAt: ArrayLike<number>, weightAt: ArrayLike<number>, rstdAt = new Float64Array(ROWS)) =>
        output(x.length, (y) => reference.rmsNorm(float64(xAt), float64(weightAt), y, rstdAt, ROWS, cols, EPS));
      const rstd64 = new Float64Array(ROWS);
      forward(x, weight, rstd64);
      const rstd = Float32Array.from(rstd64);
      const [dx, dweight] = [dirty(x.length), new Float32Array(cols)];
      const tolerance = gradientOf(16); // rstd and the terms that cancel are up to 16 where a row is one small number
      await expectLikeReference(device, tolerance, 'rmsNormBackward', x, weight, rstd, g, dx, dweight, ROWS, cols);
      expectGradient(dx, (at) => forward(at, weight), x, g, tolerance, `dx of ${cols} columns`);
      expectGradient(dweight, (at) => forward(x, at), weight, g, tolerance, `dweight of ${cols} columns`);
      await expectLikeReference(
        device,
        tolerance,
        'rmsNormBackward',
        x,
        weight,
        rstd,
        g,
        dx,
        normals(cols, 5),
        ROWS,
        cols,
      );
      await expectLikeReference(device, tolerance, 'rmsNormBackward', x, null, rstd, g, dx, null, ROWS, cols);
    }
  });
});

describe.each(devices)('many or long rows on %s', (device) => {
  it('are their reference, and add up to the same dweight and dbias, for many rows', async () => {
    for (const [rows, cols] of [
      [63, 5],
      [257, 3],
      [300, 17],
      [1030, 2],
    ] as const) {
      const size = rows * cols;
      const [x, weight, bias] = [normals(size, 1), awayFromZero(cols, 2), normals(cols, 3)];
      const [mean, rstd, g] = [normals(rows, 4, 0.02), positives(rows, 5), normals(size, 6)];
      const wide = gradientOf(rows); // sums of as many terms
      await expectLikeReference(device, NORMALIZED, 'rmsNorm', x, weight, dirty(size), dirty(rows), rows, cols, EPS);
      const outputs = () => [dirty(size), normals(cols, 7)] as const;
      await expectLikeReference(device, wide, 'rmsNormBackward', x, weight, rstd, g, ...outputs(), rows, cols);
      const normalized = [dirty(size), dirty(rows), dirty(rows), rows, cols, EPS] as const;
      await expectLikeReference(device, sumOf(8, 32), 'layerNorm', x, weight, bias, ...normalized);
      const affine = [...outputs(), normals(cols, 8), rows, cols] as const;
      await expectLikeReference(device, wide, 'layerNormBackward', x, weight, mean, rstd, g, ...affine);
    }
  });

  it('have the gradients of the reference, for long rows', async () => {
    for (const cols of LONG) {
      const [x, weight, g] = [normals(ROWS * cols, 1), awayFromZero(cols, 2), normals(ROWS * cols, 3)];
      const [mean, rstd] = [normals(ROWS, 4, 0.02), positives(ROWS, 5)];
      const outputs = () => [dirty(x.length), normals(cols, 6)] as const;
      const tolerance = gradientOf(16);
      await expectLikeReference(device, tolerance, 'rmsNormBackward', x, weight, rstd, g, ...outputs(), ROWS, cols);
      const affine = [...outputs(), normals(cols, 7), ROWS, cols] as const;
      await expectLikeReference(device, tolerance, 'layerNormBackward', x, weight, mean, rstd, g, ...affine);
    }
  });
});

describe.each(devices)('layerNorm on %s', (device) => {
  it('is its reference at every width, with and without weight and bias', async () => {
    for (const cols of [...SIZES, ...LONG]) {
      for (const [weight, bias] of [
        [awayFromZero(cols, 2), normals(cols, 3)],
        [awayFromZero(cols, 2), null],
        [null, null],
      ] as const) {
        const x = normals(ROWS * cols, cols);
        await expectLikeReference(
          ...([device, NORMALIZED, 'layerNorm', x, weight, bias, dirty(x.length), dirty(ROWS), dirty(ROWS)] as const),
          ...([ROWS, cols, EPS] as const),
        );
      }
    }
  });

  it('does not lose a small variance beside a large mean', async () => {
    for (const cols of [17, 130]) {
      const x = normals(cols, 1).map((value) => value + 4096);
      const [y, mean, rstd] = [dirty(cols), dirty(1), dirty(1)];
      // mean is rounded by 2⁻¹² · 2⁻¹², which is what x − mean is off by: 2.4e-4
      const tolerance = { rtol: 1e-5, atol: 4096 * 2 ** -24 * 2 };
      await expectLikeReference(device, tolerance, 'layerNorm', x, null, null, y, mean, rstd, 1, cols, 1e-5);
    }
  });

  it('gives the bias for a constant row, and keeps NaN and infinity in their row', async () => {
    const cols = 19;
    const x = normals(4 * cols, 1);
    x.fill(3, 0, cols);
    x[cols + 7] = NaN;
    x[2 * cols + 18] = -Infinity;
    const [weight, bias] = [normals(cols, 2), normals(cols, 3)];
    await expectLikeReference(
      ...([
        device,
        NORMALIZED,
        'layerNorm',
        x,
        weight,
        bias,
        dirty(x.length),
        dirty(4),
        dirty(4),
        4,
        cols,
        1e-5,
      ] as const),
    );
  });

  it('has the gradient of the reference, and adds to dweight and dbias', async () => {
    for (const cols of SIZES) {
      const [x, weight, bias, g] = [
        normals(ROWS * cols, 1),
        awayFromZero(cols, 2),
        normals(cols, 4),
        normals(ROWS * cols, 3),
      ];
      const [mean64, rstd64] = [new Float64Array(ROWS), new Float64Array(ROWS)];
      const forward = (
        xAt: ArrayLike<number>,
        weightAt: ArrayLike<number>,
        biasAt: ArrayLike<number>,
        [meanAt, rstdAt] = [new Float64Array(ROWS), new Float64Array(ROWS)],
      ) =>
        output(x.length, (y) =>
          reference.layerNorm(float64(xAt), float64(weightAt), float64(biasAt), y, meanAt!, rstdAt!, ROWS, cols, EPS),
        );
      forward(x, weight, bias, [mean64, rstd64]);
      const [mean, rstd] = [Float32Array.from(mean64), Float32Array.from(rstd64)];
      const [dx, dweight, dbias] = [dirty(x.length), new Float32Array(cols), new Float32Array(cols)];
      // A row of one column has the largest rstd, 1/√eps = 32, and terms that cancel to nothing.
      const tolerance = gradientOf(cols === 1 ? 32 : 16);
      const saved = [x, weight, mean, rstd, g] as const;
      await expectLikeReference(device, tolerance, 'layerNormBackward', ...saved, dx, dweight, dbias, ROWS, cols);
      expectGradient(dx, (at) => forward(at, weight, bias), x, g, tolerance, `dx of ${cols} columns`);
      expectGradient(dweight, (at) => forward(x, at, bias), weight, g, tolerance, `dweight of ${cols} columns`);
      expectGradient(dbias, (at) => forward(x, weight, at), bias, g, tolerance, `dbias of ${cols} columns`);
      const added = [dirty(x.length), normals(cols, 5), normals(cols, 6)] as const;
      await expectLikeReference(device, tolerance, 'layerNormBackward', ...saved, ...added, ROWS, cols);
      const alone = [x, null, mean, rstd, g, dirty(x.length), null, null, ROWS, cols] as const;
      await expectLikeReference(device, tolerance, 'layerNormBackward', ...alone);
      const biasOnly = [x, null, mean, rstd, g, dirty(x.length), null, normals(cols, 7), ROWS, cols] as const;
      await expectLikeReference(device, tolerance, 'layerNormBackward', ...biasOnly);
    }
  });
});

/** [batch, channels, length] */
const CHANNEL_SHAPES = [
  ...[3, 17, 65].map((channels) => [5, channels, 1] as const),
  ...[1, 3, 7, 17, 65].map((length) => [2, 3, length] as const),
  [9, 33, 1],
  [150, 2, 3],
  [7, 1, 5],
  [1, 5, 4],
] as const;

describe.each(devices)('channelNorm on %s', (device) => {
  it('takes the moments of each channel', async () => {
    for (const [batch, channels, length] of CHANNEL_SHAPES) {
      const x = normals(batch * channels * length, 1).map((value) => value + 3);
      const outputs = [dirty(channels), dirty(channels)] as const;
      await expectLikeReference(device, NORMALIZED, 'channelMoments', x, ...outputs, batch, channels, length);
    }
  });

  it('normalizes each channel, with and without weight and bias', async () => {
    for (const [batch, channels, length] of CHANNEL_SHAPES) {
      const size = batch * channels * length;
      const [x, mean, variance] = [normals(size, 1), normals(channels, 2), positives(channels, 3)];
      for (const [weight, bias] of [
        [normals(channels, 4), normals(channels, 5)],
        [null, normals(channels, 5)],
        [null, null],
      ] as const) {
        const args = [x, mean, variance, weight, bias, dirty(size), batch, channels, length, EPS] as const;
        await expectLikeReference(device, NORMALIZED, 'channelNorm', ...args);
      }
    }
  });

  it.each([true, false])('has the gradient of the reference, moments of the batch: %s', async (batchMoments) => {
    for (const [batch, channels, length] of CHANNEL_SHAPES) {
      const size = batch * channels * length;
      const [x, weight, bias] = [normals(size, 1), awayFromZero(channels, 2), normals(channels, 3)];
      const g = normals(size, 4);
      const moments = (at: ArrayLike<number>) => {
        const [mean, variance] = [new Float64Array(channels), new Float64Array(channels)];
        reference.channelMoments(float64(at), mean, variance, batch, channels, length);
        return [mean, variance] as const;
      };
      const fixed = moments(x);
      const forward = (xAt: ArrayLike<number>, weightAt: ArrayLike<number>, biasAt: ArrayLike<number>) =>
        output(size, (y) => {
          const [mean, variance] = batchMoments ? moments(xAt) : fixed;
          const affine = [float64(weightAt), float64(biasAt)] as const;
          reference.channelNorm(float64(xAt), mean, variance, ...affine, y, batch, channels, length, EPS);
        });
      const [mean, variance] = fixed.map((values) => Float32Array.from(values)) as [Float32Array, Float32Array];
      const [dx, dweight, dbias] = [dirty(size), new Float32Array(channels), new Float32Array(channels)];
      const saved = [x, mean, variance, weight, g] as const;
      const sizes = [batch, channels, length, EPS, batchMoments] as const;
      const tolerance = gradientOf(32); // rstd is up to 32, and of few elements it makes large terms that cancel
      await expectLikeReference(device, tolerance, 'channelNormBackward', ...saved, dx, dweight, dbias, ...sizes);
      expectGradient(dx, (at) => forward(at, weight, bias), x, g, tolerance, `dx of ${[batch, channels, length]}`);
      expectGradient(dweight, (at) => forward(x, at, bias), weight, g, tolerance, 'dweight');
      expectGradient(dbias, (at) => forward(x, weight, at), bias, g, tolerance, 'dbias');
      const added = [dirty(size), normals(channels, 6), normals(channels, 7)] as const;
      await expectLikeReference(device, tolerance, 'channelNormBackward', ...saved, ...added, ...sizes);
      const alone = [x, mean, variance, null, g, dirty(size), null, null, ...sizes] as const;
      await expectLikeReference(device, tolerance, 'channelNormBackward', ...alone);
    }
  });

  it.each([
    [1, 1, 1],
    [1, 17, 1],
    [2, 5, 1],
    [8, 16, 1],
    [1000, 3, 1],
    [1000, 33, 1],
    [40, 17, 7],
    [15, 5, 15],
    [16, 5, 16],
  ] as const)('of %i x %i x %i is its reference, whichever way it is read', async (batch, channels, length) => {
    const size = batch * channels * length;
    const [x, g] = [normals(size, 1).map((value) => value + 3), normals(size, 2)];
    const [mean, variance] = [normals(channels, 3).map((value) => value + 3), positives(channels, 4)];
    const [weight, bias] = [awayFromZero(channels, 5), normals(channels, 6)];
    const sizes = [batch, channels, length] as const;
    await expectLikeReference(device, NORMALIZED, 'channelMoments', x, dirty(channels), dirty(channels), ...sizes);
    const affine = [mean, variance, weight, bias] as const;
    await expectLikeReference(device, NORMALIZED, 'channelNorm', x, ...affine, dirty(size), ...sizes, EPS);
    for (const batchMoments of [true, false]) {
      const outputs = [dirty(size), normals(channels, 7), normals(channels, 8)] as const;
      const args = [x, mean, variance, weight, g, ...outputs, ...sizes, EPS, batchMoments] as const;
      const tolerance = gradientOf(Math.max(32, batch * length)); // sums of as many terms
      await expectLikeReference(device, tolerance, 'channelNormBackward', ...args);
    }
  });

  it('does not lose a small variance beside a large mean', async () => {
    const x = normals(100 * 17, 1).map((value) => value + 4096);
    // the mean is rounded by up to 2⁻¹²; the variance is off by the square of that
    const tolerance = { rtol: 1e-5, atol: 0 };
    await expectLikeReference(device, tolerance, 'channelMoments', x, dirty(17), dirty(17), 100, 17, 1);
  });

  it.each([1, 3])('keeps NaN and infinity in their channel, length %i', async (length) => {
    const [batch, channels] = [9, 6];
    const size = batch * channels * length;
    const [x, g] = [normals(size, 1), normals(size, 2)];
    x[(3 * channels + 1) * length] = NaN;
    x[(8 * channels + 5) * length] = Infinity;
    const [mean, variance] = [dirty(channels), dirty(channels)];
    const sizes = [batch, channels, length] as const;
    await expectLikeReference(device, NORMALIZED, 'channelMoments', x, mean, variance, ...sizes);
    const saved = [x, mean, variance, null] as const;
    await expectLikeReference(device, NORMALIZED, 'channelNorm', ...saved, null, dirty(size), ...sizes, EPS);
    const outputs = [dirty(size), normals(channels, 3), normals(channels, 4)] as const;
    const args = [...saved, g, ...outputs, ...sizes, EPS, true] as const;
    await expectLikeReference(device, gradientOf(32), 'channelNormBackward', ...args);
  });
});
