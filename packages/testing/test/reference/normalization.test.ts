import { describe, it } from 'vitest';
import * as reference from '../../src/reference/index.js';
import { expectGradient, inputs } from './gradient.js';

const [ROWS, COLS, EPS] = [3, 5, 0.1]; // a large epsilon shows where it is added
const floats = (size: number) => new Float64Array(size);

describe('rmsNorm', () => {
  it('has the gradient of its values', () => {
    const [x, weight, g] = [inputs(1, ROWS * COLS), inputs(2, COLS), inputs(3, ROWS * COLS)];
    const forward = (xAt: Float64Array, weightAt: Float64Array, rstd = floats(ROWS)) => {
      const y = floats(ROWS * COLS);
      reference.rmsNorm(xAt, weightAt, y, rstd, ROWS, COLS, EPS);
      return y;
    };
    const [rstd, dx, dweight] = [floats(ROWS), floats(ROWS * COLS), floats(COLS)];
    forward(x, weight, rstd);
    reference.rmsNormBackward(x, weight, rstd, g, dx, dweight, ROWS, COLS);
    expectGradient(dx, (at) => forward(at, weight), x, g);
    expectGradient(dweight, (at) => forward(x, at), weight, g);
  });
});

describe('layerNorm', () => {
  it('has the gradient of its values', () => {
    const [x, weight, bias, g] = [inputs(1, ROWS * COLS), inputs(2, COLS), inputs(4, COLS), inputs(3, ROWS * COLS)];
    const [mean, rstd] = [floats(ROWS), floats(ROWS)];
    const forward = (
      xAt: Float64Array,
      weightAt: Float64Array,
      biasAt: Float64Array,
      saved = [floats(ROWS), floats(ROWS)],
    ) => {
      const y = floats(ROWS * COLS);
      reference.layerNorm(xAt, weightAt, biasAt, y, saved[0]!, saved[1]!, ROWS, COLS, EPS);
      return y;
    };
    forward(x, weight, bias, [mean, rstd]);
    const [dx, dweight, dbias] = [floats(ROWS * COLS), floats(COLS), floats(COLS)];
    reference.layerNormBackward(x, weight, mean, rstd, g, dx, dweight, dbias, ROWS, COLS);
    expectGradient(dx, (at) => forward(at, weight, bias), x, g);
    expectGradient(dweight, (at) => forward(x, at, bias), weight, g);
    expectGradient(dbias, (at) => forward(x, weight, at), bias, g);
  });
});

describe('channelNorm', () => {
  const [BATCH, CHANNELS, LENGTH] = [3, 2, 4];
  const size = BATCH * CHANNELS * LENGTH;

  it.each([true, false])('has the gradient of its values, moments of the batch: %s', (batchMoments) => {
    const [x, weight, bias, g] = [inputs(1, size), inputs(2, CHANNELS), inputs(4, CHANNELS), inputs(3, size)];
    const [mean, variance] = [floats(CHANNELS), floats(CHANNELS)];
    reference.channelMoments(x, mean, variance, BATCH, CHANNELS, LENGTH);
    const forward = (xAt: Float64Array, weightAt: Float64Array, biasAt: Float64Array) => {
      const y = floats(size);
      const [meanAt, varianceAt] = [mean.slice(), variance.slice()];
      if (batchMoments) reference.channelMoments(xAt, meanAt, varianceAt, BATCH, CHANNELS, LENGTH);
      reference.channelNorm(xAt, meanAt, varianceAt, weightAt, biasAt, y, BATCH, CHANNELS, LENGTH, EPS);
      return y;
    };
    const [dx, dweight, dbias] = [floats(size), floats(CHANNELS), floats(CHANNELS)];
    reference.channelNormBackward(
      ...([x, mean, variance, weight, g, dx, dweight, dbias, BATCH, CHANNELS, LENGTH, EPS, batchMoments] as const),
    );
    expectGradient(dx, (at) => forward(at, weight, bias), x, g);
    expectGradient(dweight, (at) => forward(x, at, bias), weight, g);
    expectGradient(dbias, (at) => forward(x, weight, at), bias, g);
  });
});
