import { devices } from '@burin/testing';
import { describe, it } from 'vitest';
import { normals, positives, SIZES } from './inputs.js';
import type { reference } from './reference-forward.js';
import { expectLikeReference } from './run-kernel.js';
import { ROUNDING } from './tolerances.js';

/** Parameters of size 1 to 4 that move by 0.01: a few roundings of the parameter. */
const STEP = { rtol: 16 * ROUNDING, atol: 8 * ROUNDING };

/** A page of `size` in the middle of larger buffers, of which nothing else may change. */
function adamArguments(size: number, options: Partial<reference.AdamArguments> = {}): reference.AdamArguments {
  const length = size + 9;
  return {
    ...{ parameter: normals(length, 1), gradient: normals(length, 2), offset: 3 },
    ...{ expAvg: normals(length, 3, 0.1), expAvgSq: positives(length, 4), expAvgOffset: 5, expAvgSqOffset: 1 },
    ...{ size, learningRate: 0.01, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.1, decoupled: true },
    ...{ biasCorrection1: 1 - 0.9 ** 3, biasCorrection2: 1 - 0.999 ** 3 },
    ...options,
  };
}

describe.each(devices)('adam on %s', (device) => {
  it.each([true, false])('takes the step of the reference, decoupled: %s', async (decoupled) => {
    for (const size of [0, ...SIZES]) {
      await expectLikeReference(device, STEP, 'adam', adamArguments(size, { decoupled }));
      await expectLikeReference(device, STEP, 'adam', adamArguments(size, { decoupled, weightDecay: 0, eps: 0.1 }));
    }
  });

  it('starts from empty state, and does not move without a gradient', async () => {
    const zero = { expAvg: new Float32Array(26), expAvgSq: new Float32Array(26) };
    const first = { biasCorrection1: 1 - 0.9, biasCorrection2: 1 - 0.999 };
    await expectLikeReference(device, STEP, 'adam', adamArguments(17, { ...zero, ...first }));
    const still = { gradient: new Float32Array(26), weightDecay: 0 };
    await expectLikeReference(device, STEP, 'adam', adamArguments(17, { ...zero, ...first, ...still }));
  });

  it('keeps NaN and infinity in their element', async () => {
    const args = adamArguments(17);
    args.gradient[5] = NaN;
    args.gradient[9] = Infinity;
    await expectLikeReference(device, STEP, 'adam', args);
  });

  it('works on state of an earlier or later offset of one buffer', async () => {
    const state = positives(60, 3);
    const args = adamArguments(17, { expAvg: state, expAvgSq: state, expAvgOffset: 2, expAvgSqOffset: 33 });
    await expectLikeReference(device, STEP, 'adam', args);
  });
});

function sgdArguments(size: number, options: Partial<reference.SgdArguments> = {}): reference.SgdArguments {
  return {
    ...{ parameter: normals(size + 9, 1), gradient: normals(size + 9, 2), offset: 3 },
    ...{ momentumBuffer: normals(size + 9, 3), momentumOffset: 5, size, learningRate: 0.1, momentum: 0.9 },
    ...{ dampening: 0.2, nesterov: false, weightDecay: 0.1, first: false },
    ...options,
  };
}

describe.each(devices)('sgd on %s', (device) => {
  it.each<[string, Partial<reference.SgdArguments>]>([
    ['plain', { momentumBuffer: null, momentum: 0, dampening: 0, weightDecay: 0 }],
    ['with weight decay', { momentumBuffer: null, momentum: 0, dampening: 0 }],
    ['with momentum', {}],
    ['with momentum, first step', { first: true }],
    ['with Nesterov momentum', { nesterov: true, dampening: 0 }],
    ['with Nesterov momentum, first step', { nesterov: true, dampening: 0, first: true }],
  ])('takes the step of the reference, %s', async (_, options) => {
    for (const size of [0, ...SIZES]) await expectLikeReference(device, STEP, 'sgd', sgdArguments(size, options));
  });

  it('ignores what its buffer held before the first step', async () => {
    const momentumBuffer = new Float32Array(26).fill(NaN);
    await expectLikeReference(device, STEP, 'sgd', sgdArguments(17, { momentumBuffer, first: true }));
  });
});
