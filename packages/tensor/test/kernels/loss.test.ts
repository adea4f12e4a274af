import { devices, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { dirty, LONG, normals, positives, SIZES } from './inputs.js';
import { expectGradient, output, reference } from './reference-forward.js';
import { expectLikeReference, kernelsOf } from './run-kernel.js';
import { gradientOf, ROUNDING, sumOf } from './tolerances.js';

const IGNORE = -100;
const ROWS = 5;
/** lse and a logit, both up to about 12, are rounded before they are subtracted. */
const LOSS = sumOf(16);

const OPTIONS = [
  { smoothing: 0, weighted: false },
  { smoothing: 0.1, weighted: false },
  { smoothing: 0, weighted: true },
  { smoothing: 0.3, weighted: true },
];

/** Labels of which the second is ignored. */
function labelsOf(cols: number): Int32Array {
  const labels = seededRandom(cols).integers(ROWS, 0, cols);
  labels[1] = IGNORE;
  return labels;
}

describe.each(devices)('crossEntropy on %s', (device) => {
  it.each(OPTIONS)('is its reference at every width: %o', async ({ smoothing, weighted }) => {
    for (const cols of [...SIZES, ...LONG]) {
      const [logits, labels] = [normals(ROWS * cols, cols, 3), labelsOf(cols)];
      const classWeight = weighted ? positives(cols, 2) : null;
      const outputs = [dirty(ROWS), dirty(ROWS)] as const;
      const rest = [ROWS, cols, IGNORE, smoothing] as const;
      await expectLikeReference(device, LOSS, 'crossEntropy', logits, labels, classWeight, ...outputs, ...rest);
    }
  });

  it('stays finite for very large logits', async () => {
    const logits = Float32Array.of(1e4, -1e4, 0, 3e38, 3e38, -3e38, 500, 501, 502, 88, 89, 90, -1e4, -1e4, -1e4);
    const labels = Int32Array.of(0, 0, 1, 2, 2);
    const tolerance = { rtol: 1e-6, atol: 1e-3 }; // lse near 1e4 is rounded by 5e-4
    await expectLikeReference(
      ...([device, tolerance, 'crossEntropy', logits, labels, null, dirty(5), dirty(5), 5, 3, IGNORE, 0] as const),
    );
  });

  it('takes a removed logit (−∞), and passes NaN on', async () => {
    const logits = Float32Array.of(1, -Infinity, 2, -Infinity, NaN, 1, Infinity, 0, 1, 0, -Infinity, 1);
    const labels = Int32Array.of(0, 2, 1, 1); // the last label is one that was removed: the loss is infinite
    await expectLikeReference(
      ...([device, LOSS, 'crossEntropy', logits, labels, null, dirty(4), dirty(4), 4, 3, IGNORE, 0] as const),
    );
  });

  it('takes any ignoreIndex, also one that is a class', async () => {
    for (const ignoreIndex of [0, 2, -1]) {
      const labels = Int32Array.of(0, 2, 1, 0, 2);
      const logits = normals(15, 1);
      await expectLikeReference(
        ...([device, LOSS, 'crossEntropy', logits, labels, null, dirty(5), dirty(5), 5, 3, ignoreIndex, 0.1] as const),
      );
    }
  });

  it.each(OPTIONS)('has the gradient of the reference: %o', async ({ smoothing, weighted }) => {
    for (const cols of SIZES) {
      const [logits, labels, g] = [normals(ROWS * cols, cols, 2), labelsOf(cols), normals(ROWS, 3)];
      const classWeight = weighted ? positives(cols, 2) : null;
      const lse64 = new Float64Array(ROWS);
      const forward = (at: Float64Array, lse = new Float64Array(ROWS)) =>
        output(ROWS, (loss) =>
          reference.crossEntropy(at, labels, classWeight, loss, lse, ROWS, cols, IGNORE, smoothing),
        );
      forward(Float64Array.from(logits), lse64);
      const [lse, dlogits] = [Float32Array.from(lse64), dirty(logits.length)];
      const args = [logits, labels, classWeight, lse, g] as const;
      const rest = [ROWS, cols, IGNORE, smoothing] as const;
      const tolerance = gradientOf(4); // p from a rounded lse of size 8: off by 8 roundings
      await expectLikeReference(device, tolerance, 'crossEntropyBackward', ...args, dlogits, ...rest);
      expectGradient(dlogits, forward, logits, g, tolerance, `${cols} columns`);
      await expectLikeReference(device, tolerance, 'crossEntropyBackward', ...args, logits, ...rest); // in place
    }
  });

  it('has the gradient of the reference for long rows', async () => {
    for (const cols of LONG) {
      const [logits, labels, g] = [normals(ROWS * cols, cols, 2), labelsOf(cols), normals(ROWS, 3)];
      const lse64 = new Float64Array(ROWS);
      output(ROWS, (loss) => reference.crossEntropy(logits, labels, null, loss, lse64, ROWS, cols, IGNORE, 0.1));
      const args = [logits, labels, null, Float32Array.from(lse64), g, dirty(logits.length)] as const;
      await expectLikeReference(device, gradientOf(4), 'crossEntropyBackward', ...args, ROWS, cols, IGNORE, 0.1);
    }
  });

  it('gives an ignored row a gradient of exactly 0, whatever its logits are', async () => {
    const dlogits = dirty(6);
    const logits = Float32Array.of(NaN, Infinity, 1, 1, 2, 3);
    const labels = Int32Array.of(IGNORE, IGNORE);
    const [lse, g] = [Float32Array.of(NaN, 3.4), Float32Array.of(1, NaN)];
    await kernelsOf(device)('crossEntropyBackward', logits, labels, null, lse, g, dlogits, 2, 3, IGNORE, 0.1);
    expect([...dlogits]).toEqual([0, 0, 0, 0, 0, 0]);
  });
});

describe.each(devices)('bceWithLogits on %s', (device) => {
  it.each([true, false])('is its reference at every width, posWeight: %s', async (weighted) => {
    for (const cols of SIZES) {
      const [logits, target] = [normals(3 * cols, cols, 4), seededRandom(2).uniform(3 * cols)];
      const posWeight = weighted ? positives(cols, 3) : null;
      await expectLikeReference(device, LOSS, 'bceWithLogits', logits, target, posWeight, dirty(3 * cols), 3, cols);
    }
  });

  it('is stable far out, exact at 0 and 1, and passes NaN on', async () => {
    const logits = Float32Array.of(1e4, -1e4, 1e4, -1e4, 100, -100, NaN, 0, 88, -88);
    const target = Float32Array.of(1, 0, 0, 1, 0.5, 0.5, 1, 1, 1, 0);
    await expectLikeReference(device, LOSS, 'bceWithLogits', logits, target, null, dirty(10), 2, 5);
    const args = [logits, target, null, normals(10, 1), dirty(10), 2, 5] as const;
    await expectLikeReference(device, gradientOf(), 'bceWithLogitsBackward', ...args);
  });

  it('keeps its digits where the loss is small', async () => {
    const logits = Float32Array.from({ length: 65 }, (_, i) => i / 4); // down to e⁻¹⁶
    const tolerance = { rtol: 16 * ROUNDING, atol: 0 };
    const args = [logits, new Float32Array(65).fill(1), null, dirty(65), 5, 13] as const;
    await expectLikeReference(device, tolerance, 'bceWithLogits', ...args);
  });

  it.each([true, false])('has the gradient of the reference, posWeight: %s', async (weighted) => {
    for (const cols of SIZES) {
      const size = 3 * cols;
      const [logits, target, g] = [normals(size, cols, 2), seededRandom(2).uniform(size), normals(size, 4)];
      const posWeight = weighted ? positives(cols, 3) : null;
      const dlogits = dirty(size);
      const args = [logits, target, posWeight, g, dlogits, 3, cols] as const;
      await expectLikeReference(device, gradientOf(), 'bceWithLogitsBackward', ...args);
      const forward = (at: Float64Array) =>
        output(size, (loss) => reference.bceWithLogits(at, target, posWeight, loss, 3, cols));
      expectGradient(dlogits, forward, logits, g, gradientOf(), `${cols} columns`);
      await expectLikeReference(
        ...([device, gradientOf(), 'bceWithLogitsBackward', logits, target, posWeight, g, g, 3, cols] as const),
      );
    }
  });
});
