import { devices } from '@burin/testing';
import { describe, it } from 'vitest';
import { dirty, LONG, normals, SIZES } from './inputs.js';
import { expectGradient, output, reference } from './reference-forward.js';
import { expectLikeReference } from './run-kernel.js';
import { gradientOf, ROUNDING } from './tolerances.js';

/** x − max is rounded before exp makes it a relative error: up to |x − max| ≤ 16 roundings here. */
const SOFTMAX = { rtol: 32 * ROUNDING, atol: 2 ** -126 };
/** log p = x − lse, both up to 16. */
const LOG_SOFTMAX = { rtol: 8 * ROUNDING, atol: 32 * ROUNDING };

describe.each(devices)('softmax on %s', (device) => {
  it.each([false, true])('is its reference at every width, log: %s', async (log) => {
    const tolerance = log ? LOG_SOFTMAX : SOFTMAX;
    for (const cols of [...SIZES, ...LONG]) {
      const x = normals(5 * cols, cols, 3);
      await expectLikeReference(device, tolerance, 'softmax', x, dirty(5 * cols), 5, cols, log);
      await expectLikeReference(device, tolerance, 'softmax', x, x, 5, cols, log); // in place
    }
    await expectLikeReference(device, tolerance, 'softmax', dirty(0), dirty(0), 0, 3, log);
  });

  it.each([false, true])('subtracts the maximum, log: %s', async (log) => {
    const x = Float32Array.of(1e4, 1e4 - 1, -1e4, 3e38, -3e38, 0, -500, -501, -520);
    await expectLikeReference(device, { rtol: 32 * ROUNDING, atol: 1e-6 }, 'softmax', x, dirty(9), 3, 3, log);
  });

  it.each([false, true])('gives what is promised for −∞, +∞ and NaN, log: %s', async (log) => {
    for (const cols of [3, 7, 17]) {
      const rows = [
        [-Infinity, 1, 2], // 0 there
        [-Infinity, -Infinity, -Infinity], // a row of zeros, or of −∞
        [1, NaN, 2],
        [1, Infinity, 2],
        [-Infinity, NaN, -Infinity],
        [Infinity, -Infinity, 0],
      ].map((row) => Array.from({ length: cols }, (_, c) => row[c % 3]!));
      const x = Float32Array.from(rows.flat());
      await expectLikeReference(device, log ? LOG_SOFTMAX : SOFTMAX, 'softmax', x, dirty(x.length), 6, cols, log);
    }
  });
});

describe.each(devices)('softmaxBackward on %s', (device) => {
  it.each([false, true])('has the gradient of the reference, log: %s', async (log) => {
    for (const cols of SIZES) {
      const [x, g] = [normals(3 * cols, 1), normals(3 * cols, 2)];
      const forward = (at: ArrayLike<number>) =>
        output(x.length, (y) => reference.softmax(Float64Array.from(at), y, 3, cols, log));
      const [y, dx] = [Float32Array.from(forward(x)), dirty(x.length)];
      // Σ g, which log multiplies with p, has up to `cols` terms; Σ g·y is an average
      const tolerance = gradientOf(log ? Math.sqrt(cols) : 1);
      await expectLikeReference(device, tolerance, 'softmaxBackward', y, g, dx, 3, cols, log);
      expectGradient(dx, forward, x, g, tolerance);
      await expectLikeReference(device, tolerance, 'softmaxBackward', y, g, g, 3, cols, log); // in place
    }
  });

  it.each([false, true])('is its reference for long rows, log: %s', async (log) => {
    for (const cols of LONG) {
      const x = normals(3 * cols, 1);
      const y = Float32Array.from(output(x.length, (values) => reference.softmax(x, values, 3, cols, log)));
      const tolerance = gradientOf(log ? Math.sqrt(cols) : 1);
      await expectLikeReference(
        device,
        tolerance,
        'softmaxBackward',
        y,
        normals(x.length, 2),
        dirty(x.length),
        3,
        cols,
        log,
      );
    }
  });

  it.each([false, true])('gives 0 to what was −∞, log: %s', async (log) => {
    const x = Float32Array.of(-Infinity, 1, 2, -Infinity, -Infinity, -Infinity);
    const y = Float32Array.from(output(6, (values) => reference.softmax(x, values, 2, 3, log)));
    await expectLikeReference(device, gradientOf(), 'softmaxBackward', y, normals(6, 1), dirty(6), 2, 3, log);
  });
});
