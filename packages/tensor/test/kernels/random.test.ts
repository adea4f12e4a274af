import { devices } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { dirty, normals, SIZES } from './inputs.js';
import { reference } from './reference-forward.js';
import { expectLikeReference, kernelsOf } from './run-kernel.js';
import { ROUNDING } from './tolerances.js';

const STREAMS: reference.RandomStream[] = [
  { seedLow: 0, seedHigh: 0, offsetLow: 0, offsetHigh: 0 },
  { seedLow: 42, seedHigh: 7, offsetLow: 1000, offsetHigh: 3 },
  { seedLow: 0xffffffff, seedHigh: 0x80000000, offsetLow: 0x7ffffffe, offsetHigh: 0xffffffff },
  { seedLow: 1, seedHigh: 2, offsetLow: 0xfffffffe, offsetHigh: 5 }, // carries into offsetHigh
];

describe.each(devices)('uniform on %s', (device) => {
  it.each(STREAMS)('gives the numbers of the reference: %o', async (stream) => {
    for (const size of [0, ...SIZES]) {
      await expectLikeReference(device, { rtol: 0, atol: 0 }, 'uniform', dirty(size), size, 0, 1, stream);
      await expectLikeReference(device, { rtol: 0, atol: 6 * ROUNDING }, 'uniform', dirty(size), size, -2, 3, stream);
    }
  });

  it('never reaches its upper end', async () => {
    const y = dirty(4096);
    await kernelsOf(device)('uniform', y, y.length, 0, 1, STREAMS[1]!);
    expect(Math.max(...y)).toBeLessThan(1);
    expect(Math.min(...y)).toBeGreaterThanOrEqual(0);
  });
});

describe.each(devices)('normal on %s', (device) => {
  // 2π u and r are rounded to float32, r is up to 6
  const BOX_MULLER = { rtol: 16 * ROUNDING, atol: 64 * ROUNDING };

  it.each(STREAMS)('gives the numbers of the reference: %o', async (stream) => {
    for (const size of [0, ...SIZES, 2001]) {
      await expectLikeReference(device, BOX_MULLER, 'normal', dirty(size), size, 0, 1, stream);
      await expectLikeReference(device, BOX_MULLER, 'normal', dirty(size), size, 3, 0.5, stream);
    }
  });
});

describe.each(devices)('dropout on %s', (device) => {
  const SCALED = { rtol: 4 * ROUNDING, atol: 0 };

  it.each(STREAMS)('drops what the reference drops: %o', async (stream) => {
    for (const size of [0, ...SIZES]) {
      for (const p of [0, 0.1, 0.5, 0.9]) {
        const x = normals(size, 1);
        await expectLikeReference(device, SCALED, 'dropout', x, dirty(size), size, p, stream);
        await expectLikeReference(device, SCALED, 'dropout', x, x, size, p, stream); // in place
      }
    }
  });

  it('keeps an element whose number equals p', async () => {
    const stream = STREAMS[1]!;
    for (const i of [0, 5, 18]) {
      const p = reference.streamUniform(stream, i);
      const y = dirty(19);
      await expectLikeReference(device, SCALED, 'dropout', new Float32Array(19).fill(1), y, 19, p, stream);
      expect(y[i]).toBeGreaterThan(1);
    }
  });

  it('drops NaN and infinity too', async () => {
    const x = new Float32Array(130).map((_, i) => (i % 2 === 0 ? NaN : Infinity));
    await expectLikeReference(device, SCALED, 'dropout', x, dirty(130), 130, 0.5, STREAMS[1]!);
  });
});

describe.each(devices)('streams on %s', (device) => {
  it('go on where another one stopped, four numbers an offset', async () => {
    const whole = dirty(64);
    const rest = dirty(52);
    await kernelsOf(device)('uniform', whole, 64, 0, 1, { ...STREAMS[3]! });
    await kernelsOf(device)('uniform', rest, 52, 0, 1, { ...STREAMS[3]!, offsetLow: 1, offsetHigh: 6 });
    expect(rest).toEqual(whole.subarray(12));
  });
});
