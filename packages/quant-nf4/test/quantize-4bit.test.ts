import { Generator, randn, scope, tensor, zeros } from '@burin/tensor';
import { EXACT, expectClose, fixtureCases, readFixture, seededRandom } from '@burin/testing';
import { describe, expect, it } from 'vitest';
import { dynamicMap, type FourBitType, FP4_CODE, NF4_CODE, QuantizedTensor, quantize4bit } from '../src/index.js';

const SCALES = { rtol: 1e-6, atol: 1e-9 }; // of dequantized values: the manifests' 1e-6, a product of two float32

/** FP4 has two zeros: which one a tiny value gets differs between implementations. */
function oneZero(packed: ArrayLike<number>, type: FourBitType): number[] {
  const code = (nibble: number) => (type === 'fp4' && nibble === 8 ? 0 : nibble);
  return Array.from(packed, (byte) => code(byte >> 4) * 16 + code(byte & 15));
}

describe('code tables', () => {
  const fixture = readFixture('nf4', 'code_tables');
  it.each([
    ['nf4', NF4_CODE],
    ['fp4', FP4_CODE],
    ['dynamic_signed', dynamicMap(true)],
    ['dynamic_unsigned', dynamicMap(false)],
  ])("%s is bitsandbytes', to the bit", (name, table) => {
    expectClose(table, fixture.floats(name), EXACT);
  });
});

const cases = fixtureCases('nf4').filter(
  (name) => readFixture('nf4', name).manifest.config.quant_type && name !== 'nf4_linear',
);

describe.each(cases)("quantize4bit gives bitsandbytes' bytes: %s", (name) => {
  const fixture = readFixture('nf4', name);
  const { quant_type, blocksize, double_quant } = fixture.manifest.config;
  const type = quant_type as FourBitType;
  const close = (values: ArrayLike<number>, tensorName: string) =>
    expectClose(values, fixture.floats(tensorName), fixture.tolerance(tensorName), tensorName);

  it('codes, scales and values', async () => {
    const x = tensor(fixture.floats('x'), fixture.shape('x'));
    const options = { type, blockSize: blocksize as number, doubleQuant: double_quant as boolean };
    const quantized = await quantize4bit(x, options);
    expect(oneZero(await quantized.packed.data(), type)).toEqual(oneZero(fixture.bytes('packed'), type));
    expect(quantized.packed.shape).toEqual(fixture.shape('packed'));
    if (double_quant) {
      expectClose(await quantized.absmaxCodes!.data(), fixture.bytes('absmax_codes'), EXACT);
      expectClose(await quantized.nestedCode!.data(), fixture.floats('nested_code'), EXACT);
      close(await quantized.nestedAbsmax!.data(), 'nested_absmax');
      close([quantized.nestedOffset], 'nested_offset');
    } else {
      expectClose(await quantized.absmax!.data(), fixture.floats('absmax'), EXACT);
    }
    const values = await quantized.dequantize().data();
    close(values, 'dequantized');
    const largestError = Math.max(...values.map((value, i) => Math.abs(value - fixture.floats('x')[i]!)));
    expectClose([largestError], [fixture.manifest.expected_values!.max_abs_error as number], {
      rtol: 1e-4,
      atol: 4e-7,
    }); // the manifest's
  });
});

describe('quantize4bit', () => {
  const random = seededRandom(2);

  it('counts its bytes', async () => {
    const plain = await quantize4bit(tensor(random.normal(37 * 53), [37, 53])); // 1961 elements, 31 blocks
    expect(plain.byteLength).toBe(981 + 4 * 31);
    const double = await quantize4bit(tensor(random.normal(37 * 53), [37, 53]), { doubleQuant: true });
    expect(double.byteLength).toBe(981 + 31 + 4 + 4 * 256);
    expect([double.blocks, double.isNested, plain.isNested]).toEqual([31, true, false]);
  });

  it('keeps a value that is a code of its block, whatever the shape', async () => {
    const values = Float32Array.from({ length: 5 * 13 }, (_, i) => NF4_CODE[i % 16]! * 4);
    const quantized = await quantize4bit(tensor(values, [5, 13]), { blockSize: 32 });
    const back = quantized.dequantize();
    expect(back.shape).toEqual([5, 13]);
    expectClose(await back.data(), [...values.slice(0, 64), 4 * NF4_CODE[0]!], EXACT); // the last block is of one element
  });

  it('is idempotent: what it gives, it gives again', async () => {
    const once = await quantize4bit(tensor(random.normal(200), [200]));
    const twice = await quantize4bit(once.dequantize());
    expect(await twice.packed.data()).toEqual(await once.packed.data());
    expect(await twice.absmax!.data()).toEqual(await once.absmax!.data());
  });

  it('widens float16 and bfloat16, and remembers them', async () => {
    const x = tensor([1, -0.5, 0.25], [3], { dtype: 'bfloat16' });
    const quantized = await quantize4bit(x);
    expect(quantized.originalDtype).toBe('bfloat16');
    expectClose(
      await quantized.dequantize().data(),
      await (await quantize4bit(tensor([1, -0.5, 0.25]))).dequantize().data(),
      EXACT,
    );
  });

  it('lets x be freed at once, and keeps its own memory out of scopes', async () => {
    const quantizing = scope(() => {
      const x = randn([70], { rng: new Generator(1) });
      return { promise: quantize4bit(x, { doubleQuant: true }) };
    });
    const quantized = await quantizing.promise;
    expect((await quantized.dequantize().data()).every(Number.isFinite)).toBe(true);
  });

  it('frees all that it holds', async () => {
    const x = tensor(random.normal(100));
    const { memory } = x.device;
    const before = memory.liveBytes;
    for (const doubleQuant of [false, true]) (await quantize4bit(x, { doubleQuant })).dispose();
    await expect(quantize4bit(tensor([1, Number.NaN]))).rejects.toThrow();
    expect(memory.liveBytes - before).toBe(8); // the broken x
  });

  it.each([
    [{ blockSize: 48 }, 'quantize4bit: blockSize must be a power of two from 32 to 4096, got 48'],
    [{ blockSize: 8192 }, 'got 8192'],
    [{ type: 'int4' as 'nf4' }, 'quantize4bit: type must be nf4 or fp4, got int4'],
    [{ blocksize: 128 } as object, 'quantize4bit: there is no option blocksize; expected type, blockSize, doubleQuant'],
  ])('refuses %j', async (options, message) => {
    await expect(quantize4bit(zeros([4]), options)).rejects.toThrow(message);
  });

  it('refuses what it cannot hold', async () => {
    await expect(quantize4bit(zeros([0, 4]))).rejects.toThrow('quantize4bit: x must not be empty, got [0,4]');
    await expect(quantize4bit(tensor([1, Number.NaN, Number.POSITIVE_INFINITY]))).rejects.toThrow(
      'quantize4bit: every value must be finite, got 2 of 3 that are NaN or infinite',
    );
    await expect(quantize4bit(zeros([4], { dtype: 'int32' }))).rejects.toThrow(
      'a floating-point tensor is expected, got int32',
    );
  });

  it('refuses parts that do not fit together', () => {
    const parts = { type: 'nf4', shape: [4, 5], blockSize: 64, scales: { absmax: zeros([1]) } } as const;
    expect(() => new QuantizedTensor({ ...parts, packed: zeros([9, 1], { dtype: 'uint8' }) })).toThrow(
      'QuantizedTensor: packed must fit shape and block size: expected 10, got 9',
    );
    const packed = zeros([10, 1], { dtype: 'uint8' });
    expect(() => new QuantizedTensor({ ...parts, packed, scales: { absmax: zeros([2]) } })).toThrow('absmax must fit');
  });
});

it('dequantizes to what the formula says', async () => {
  const x = tensor(seededRandom(6).normal(150), [150]);
  const quantized = await quantize4bit(x, { blockSize: 32, doubleQuant: true });
  const [packed, codes, table, absmax] = await Promise.all(
    [quantized.packed, quantized.absmaxCodes!, quantized.nestedCode!, quantized.nestedAbsmax!].map((part) =>
      part.data(),
    ),
  );
  const expected = Array.from({ length: 150 }, (_, i) => {
    const byte = packed![i >> 1]!;
    const scale = table![codes![i >> 5]!]! * absmax![0]! + quantized.nestedOffset;
    return NF4_CODE[i % 2 === 0 ? byte >> 4 : byte & 15]! * scale;
  });
  expectClose(await quantized.dequantize().data(), expected, SCALES);
});
