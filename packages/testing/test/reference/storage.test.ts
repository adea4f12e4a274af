import { describe, expect, it } from 'vitest';
import { expectClose, readFixture } from '../../src/index.js';
import { CODES_4BIT, cast, decodeHalf, dynamicMap8bit, encodeHalf } from '../../src/reference/index.js';

const HALF_NUMBERS = Array.from({ length: 65536 }, (_, bits) => bits);

describe('float16 and bfloat16', () => {
  it.each(['float16', 'bfloat16'] as const)('give back all 65,536 of %s', (dtype) => {
    for (const bits of HALF_NUMBERS) {
      const value = decodeHalf(dtype, bits);
      if (Number.isNaN(value)) expect(decodeHalf(dtype, encodeHalf(dtype, value))).toBeNaN();
      else if (encodeHalf(dtype, value) !== bits)
        expect.fail(`${dtype} ${bits} came back as ${encodeHalf(dtype, value)}`);
    }
  });

  // from IEEE 754: largest, smallest normal, smallest subnormal
  it('know the named numbers of float16', () => {
    expect([0x7bff, 0x0400, 0x0001, 0x3c00, 0xc000].map((bits) => decodeHalf('float16', bits))).toEqual([
      65504,
      2 ** -14,
      2 ** -24,
      1,
      -2,
    ]);
  });

  it('round halves to even, and overflow to infinity', () => {
    expect(encodeHalf('float16', 1 + 2 ** -11)).toBe(0x3c00);
    expect(encodeHalf('float16', 1 + 3 * 2 ** -11)).toBe(0x3c02);
    expect(encodeHalf('float16', 65519.99)).toBe(0x7bff);
    expect(encodeHalf('float16', 65520)).toBe(0x7c00);
    expect(encodeHalf('float16', -1e9)).toBe(0xfc00);
    expect(encodeHalf('float16', 2 ** -25)).toBe(0); // half the smallest: to even
    expect(encodeHalf('float16', 2 ** -25 * 1.01)).toBe(1);
    expect(encodeHalf('bfloat16', 1 + 2 ** -8)).toBe(0x3f80);
    expect(encodeHalf('bfloat16', 3.4028234663852886e38)).toBe(0x7f80);
  });

  it('agree with a shift of float32 bits, for bfloat16', () => {
    for (const value of [1, -0, 3.140625, 2 ** -130, -2.5e38]) {
      const bits = new Uint32Array(Float32Array.of(value).buffer)[0]!;
      expect(encodeHalf('bfloat16', value)).toBe((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16);
    }
  });
});

describe('cast', () => {
  it('goes towards zero and saturates on its way to integers; NaN gives 0', () => {
    const x = Float64Array.of(2.9, -2.9, 300, -1, 3e9, -3e9, NaN, Infinity);
    const ints = new Int32Array(8);
    const bytes = new Uint8Array(8);
    cast(x, 'float32', ints, 'int32', 8);
    cast(x, 'float32', bytes, 'uint8', 8);
    expect([...ints]).toEqual([2, -2, 300, -1, 2147483647, -2147483648, 0, 2147483647]);
    expect([...bytes]).toEqual([2, 0, 255, 0, 255, 0, 0, 255]);
  });
});

describe('code tables', () => {
  it('are those of bitsandbytes', () => {
    const fixture = readFixture('nf4', 'code_tables');
    const check = (name: string, table: Float32Array) =>
      expectClose(table, fixture.floats(name), fixture.tolerance(name), name);
    check('nf4', CODES_4BIT.nf4);
    check('fp4', CODES_4BIT.fp4);
    check('dynamic_signed', dynamicMap8bit(true));
    check('dynamic_unsigned', dynamicMap8bit(false));
  });
});
