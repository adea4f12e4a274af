import { CheckpointError, fromFloat32, toFloat32, toInt32 } from '@burin/checkpoint';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';

const bytesOf = (array: ArrayBufferView) => new Uint8Array(array.buffer, array.byteOffset, array.byteLength);
const halves = Uint16Array.from({ length: 65536 }, (_, i) => i);

/** The bits of one number stored as `dtype`. */
function stored(value: number, dtype: 'F16' | 'BF16'): number {
  return new Uint16Array(fromFloat32(new Float32Array([value]), dtype).buffer)[0]!;
}

/** The value of float16 bits, by its definition. */
function float16Value(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

describe('float16', () => {
  it('widens each of the 65536 to its value', () => {
    expect(toFloat32(bytesOf(halves), 'F16')).toEqual(Float32Array.from(halves, float16Value));
  });

  it('gives each of them back, NaN as a quiet NaN with its sign', () => {
    const back = new Uint16Array(fromFloat32(toFloat32(bytesOf(halves), 'F16'), 'F16').buffer);
    const isNan = (bits: number) => (bits & 0x7fff) > 0x7c00;
    expect(back).toEqual(halves.map((bits) => (isNan(bits) ? bits | 0x0200 : bits)));
  });

  it('rounds ties to even and everything else to the nearest, between all neighbours', () => {
    for (let bits = 0; bits < 0x7bff; bits++) {
      const low = float16Value(bits);
      const middle = (low + float16Value(bits + 1)) / 2; // exact in float32
      const even = bits % 2 === 0 ? bits : bits + 1;
      const nudge = middle * 2 ** -23;
      const got = [
        stored(middle, 'F16'),
        stored(-middle, 'F16'),
        stored(middle - nudge, 'F16'),
        stored(middle + nudge, 'F16'),
      ];
      if (got.join() !== [even, even | 0x8000, bits, bits + 1].join())
        expect.fail(`between ${bits} and its neighbour: ${got}`);
    }
  });

  it('becomes Infinity from 65520, and 0 up to 2^-25', () => {
    expect(stored(65519.99609375, 'F16')).toBe(0x7bff);
    expect(stored(65520, 'F16')).toBe(0x7c00);
    expect(stored(-3e38, 'F16')).toBe(0xfc00);
    expect(stored(Number.NEGATIVE_INFINITY, 'F16')).toBe(0xfc00);
    expect(stored(2 ** -25, 'F16')).toBe(0);
    expect(stored(1.0000001 * 2 ** -25, 'F16')).toBe(1);
    expect(stored(-1e-45, 'F16')).toBe(0x8000);
  });
});

describe('bfloat16', () => {
  it('is the upper half of a float32', () => {
    const bits = new Uint32Array(toFloat32(bytesOf(halves), 'BF16').buffer);
    const isNan = (half: number) => (half & 0x7fff) > 0x7f80;
    for (const half of halves) if (!isNan(half) && bits[half] !== half * 65536) expect.fail(`${half}: ${bits[half]}`);
    expect([1.5, -2, 0.1].map((value) => stored(value, 'BF16'))).toEqual([0x3fc0, 0xc000, 0x3dcd]);
  });

  it('rounds ties to even', () => {
    const at = (bits: number) => new Float32Array(new Uint32Array([bits]).buffer)[0]!;
    const cases = [0x3f808000, 0x3f818000, 0x3f807fff, 0x3f808001, 0x7f7f8000, 0xbf818000, 0x00008000, 0x00018000];
    expect(cases.map((bits) => stored(at(bits), 'BF16'))).toEqual([
      0x3f80, 0x3f82, 0x3f80, 0x3f81, 0x7f80, 0xbf82, 0, 2,
    ]);
  });

  it('keeps NaN a NaN, also where its upper half alone would be Infinity', () => {
    const nan = new Float32Array(new Uint32Array([0x7f800001, 0xffffffff]).buffer);
    expect([...new Uint16Array(fromFloat32(nan, 'BF16').buffer)]).toEqual([0x7fc0, 0xffff]);
  });
});

describe('float32', () => {
  test.prop([fc.float32Array()], { seed: 1 })('is what it was', (values) => {
    expect(toFloat32(fromFloat32(values, 'F32'), 'F32')).toEqual(values);
  });

  it('is read at any alignment, into an array of its own', () => {
    const bytes = new Uint8Array(9);
    bytes.set(bytesOf(new Float32Array([1, 2])), 1);
    const values = toFloat32(bytes.subarray(1), 'F32');
    bytes.fill(0);
    expect([...values]).toEqual([1, 2]);
  });
});

describe('whole numbers', () => {
  test.prop([fc.array(fc.integer())], { seed: 2 })('of 64 bits that fit 32 are what they were', (values) => {
    expect([...toInt32(bytesOf(BigInt64Array.from(values, BigInt)), 'I64')]).toEqual(values);
  });

  it.each([2n ** 31n, -(2n ** 31n) - 1n, 2n ** 32n, 2n ** 63n - 1n, -(2n ** 63n)])('%s does not fit', (value) => {
    expect(() => toInt32(bytesOf(new BigInt64Array([0n, value])), 'I64')).toThrow(
      new CheckpointError(
        `toInt32: numbers must fit 32 bits: expected -2147483648 to 2147483647, got ${value} at element 1`,
      ),
    );
  });

  it('of fewer bits are widened', () => {
    expect([...toInt32(bytesOf(new Int32Array([-5, 2 ** 31 - 1])), 'I32')]).toEqual([-5, 2 ** 31 - 1]);
    expect([...toInt32(bytesOf(new Int16Array([-32768, 3])), 'I16')]).toEqual([-32768, 3]);
    expect([...toInt32(new Uint8Array([255, 1]), 'I8')]).toEqual([-1, 1]);
    expect([...toInt32(new Uint8Array([255, 1]), 'U8')]).toEqual([255, 1]);
    expect([...toInt32(new Uint8Array([0, 1, 2]), 'BOOL')]).toEqual([0, 1, 1]);
  });
});

describe('messages', () => {
  it.each([
    [
      () => toFloat32(new Uint8Array(8), 'I64' as 'F32'),
      'toFloat32: dtype must be a float: expected F32, F16 or BF16, got "I64"',
    ],
    [
      () => fromFloat32(new Float32Array(1), 'F64' as 'F32'),
      'fromFloat32: dtype must be a float: expected F32, F16 or BF16, got "F64"',
    ],
    [
      () => toInt32(new Uint8Array(8), 'F32' as 'I32'),
      'toInt32: dtype must be of whole numbers: expected I64, I32, I16, I8, U8 or BOOL, got "F32"',
    ],
    [
      () => toFloat32(new Uint8Array(6), 'F32'),
      'toFloat32: bytes must hold whole elements: expected a multiple of 4 bytes, got 6',
    ],
    [
      () => toInt32(new Uint8Array(12), 'I64'),
      'toInt32: bytes must hold whole elements: expected a multiple of 8 bytes, got 12',
    ],
  ])('%#', (action, message) => {
    expect(action).toThrow(new CheckpointError(message));
  });
});
