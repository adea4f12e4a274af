import { expectClose, type Fixture, fixtureCases, readFixture } from '@burin/testing';
import { describe, it } from 'vitest';
import { expectGolden, runners } from './golden.js';
import { dirty } from './inputs.js';
import { reference } from './reference-forward.js';
import { type KernelRunner, kernelsOf } from './run-kernel.js';

const EXACT = { rtol: 0, atol: 0 };

interface Quantized {
  weight: reference.FourBitWeight;
  absmax: Float32Array; // before it is quantized itself
}

/** Quantizes x as bitsandbytes does: the mean of the block scales is taken off before they become 8-bit codes. */
async function quantize(
  run: KernelRunner,
  x: Float32Array,
  type: 'nf4' | 'fp4',
  blockSize: number,
  isDouble: boolean,
): Promise<Quantized> {
  const size = x.length;
  const blocks = Math.ceil(size / blockSize);
  const [packed, absmax] = [new Uint8Array(Math.ceil(size / 2)), dirty(blocks)];
  await run('quantize4bit', type, x, packed, absmax, size, blockSize);
  const plain = { type, packed, size, blockSize, nestedOffset: 0, nestedBlockSize: 256 };
  if (!isDouble) {
    return { weight: { ...plain, absmax, absmaxCodes: null, nestedAbsmax: null, nestedCode: null }, absmax };
  }
  const nestedOffset = Math.fround(absmax.reduce((sum, value) => sum + value, 0) / blocks);
  const nestedCode = reference.dynamicMap8bit(true);
  const [absmaxCodes, nestedAbsmax] = [new Uint8Array(blocks), dirty(Math.ceil(blocks / 256))];
  const centered = absmax.map((value) => value - nestedOffset);
  await run('quantize8bit', centered, nestedCode, absmaxCodes, nestedAbsmax, blocks, 256);
  return { weight: { ...plain, nestedOffset, absmax: null, absmaxCodes, nestedAbsmax, nestedCode }, absmax };
}

/** FP4's negative zero (code 8) counts as its zero. */
function codesOf(fixture: Fixture, packed: Uint8Array): number[] {
  const isFp4 = fixture.manifest.config.quant_type === 'fp4';
  return Array.from(packed).flatMap((byte) => [byte >> 4, byte & 15].map((code) => (isFp4 && code === 8 ? 0 : code)));
}

const fourBit = fixtureCases('nf4').filter((name) => /^(nf4|fp4)_/.test(name) && name !== 'nf4_linear');

describe.each(runners)('4-bit and 8-bit quantization on %s', (runner) => {
  const run = kernelsOf(runner);

  it.each(fourBit)('%s', async (name) => {
    const fixture = readFixture('nf4', name);
    const { quant_type: type, double_quant: isDouble } = fixture.manifest.config as {
      quant_type: 'nf4' | 'fp4';
      double_quant: boolean;
    };
    const x = fixture.floats('x');
    const { weight, absmax } = await quantize(run, x, type, fixture.number('blocksize'), isDouble);
    expectClose(codesOf(fixture, weight.packed), codesOf(fixture, fixture.bytes('packed')), EXACT, 'packed');
    const y = dirty(x.length);
    await run('dequantize4bit', weight, y);
    expectGolden(fixture, { dequantized: y });
    if (!isDouble) return expectGolden(fixture, { absmax });

    expectGolden(fixture, {
      ...{ absmax_raw: absmax, absmax_codes: weight.absmaxCodes!, nested_absmax: weight.nestedAbsmax! },
      nested_offset: [weight.nestedOffset],
    });
    const scales = dirty(absmax.length);
    const { absmaxCodes, nestedCode, nestedAbsmax, nestedOffset } = weight;
    await run('dequantize8bit', absmaxCodes!, nestedCode!, nestedAbsmax!, scales, scales.length, 256, nestedOffset);
    expectGolden(fixture, { absmax_dequantized: scales });
  });

  it.each(fixtureCases('nf4').filter((name) => name.startsWith('blockwise8_')))('%s', async (name) => {
    const fixture = readFixture('nf4', name);
    const [x, code, blockSize] = [fixture.floats('x'), fixture.floats('code'), fixture.number('blocksize')];
    const [codes, absmax, y] = [new Uint8Array(x.length), dirty(Math.ceil(x.length / blockSize)), dirty(x.length)];
    await run('quantize8bit', x, code, codes, absmax, x.length, blockSize);
    await run('dequantize8bit', codes, code, absmax, y, x.length, blockSize, 0);
    expectGolden(fixture, { codes, absmax, dequantized: y });
  });

  it('nf4_linear', async () => {
    const fixture = readFixture('nf4', 'nf4_linear');
    const [outFeatures, inFeatures] = [fixture.number('out_features'), fixture.number('in_features')];
    const { weight } = await quantize(run, fixture.floats('weight_original'), 'nf4', fixture.number('blocksize'), true);
    const x = fixture.floats('x');
    const m = x.length / inFeatures;
    const [dequantized, y, dx] = [dirty(weight.size), dirty(m * outFeatures), dirty(x.length)];
    await run('dequantize4bit', weight, dequantized);
    await run('matmul4bit', x, weight, fixture.floats('bias'), y, m, outFeatures, inFeatures, false, false);
    await run('matmul4bit', fixture.floats('d_out'), weight, null, dx, m, outFeatures, inFeatures, true, false);
    expectGolden(fixture, { weight_dequantized: dequantized, out: y, 'grad.x': dx });
  });
});
