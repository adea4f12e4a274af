import {
  dequantizeBlockwise8,
  dynamicMap,
  FP4_CODE,
  NF4_CODE,
  quantize4bit,
  quantizeBlockwise8,
} from '@burin/quant-nf4';
import { tensor } from '@burin/tensor';
import type { Case } from '../case.js';
import { type Outcome, read } from '../outcome.js';
import { fourBitLinear } from './four-bit-linear.js';
import { fourBitTensor } from './four-bit-tensor.js';

const MAPS: Readonly<Record<string, boolean>> = { dynamic_signed: true, dynamic_unsigned: false };

/** 4-bit tensors and layers, 8-bit blocks, and the tables of codes. */
export async function nf4(c: Case): Promise<Outcome> {
  if (c.config.has('quant_type')) return fourBitTensor(c);
  if (c.config.has('map')) return eightBit(c);
  return c.has('weight_original') ? fourBitLinear(c) : codeTables();
}

async function eightBit(c: Case): Promise<Outcome> {
  const name = c.config.text('map');
  const signed = MAPS[name];
  if (signed === undefined) throw new RangeError(`config.map: expected ${Object.keys(MAPS).join(' or ')}, got ${name}`);
  const map = dynamicMap(signed);
  const { code, ...tensors } = await read(() => {
    const quantized = quantizeBlockwise8(c.tensor('x'), { map, blockSize: c.config.number('blocksize') });
    const { codes, absmax, code } = quantized;
    return { codes, absmax, code, dequantized: dequantizeBlockwise8(quantized) };
  });
  return { tensors, inputs: { code: code! } };
}

async function codeTables(): Promise<Outcome> {
  const table = (data: Float32Array) => ({ shape: [data.length], data });
  return {
    tensors: {
      nf4: table(Float32Array.from(NF4_CODE)),
      fp4: table(Float32Array.from(FP4_CODE)),
      dynamic_signed: table(dynamicMap(true)),
      dynamic_unsigned: table(dynamicMap(false)),
      nf4_bounds: table(await decisionBounds()),
    },
  };
}

/** The largest number that each NF4 code but the last is given to, found by bisection down to neighbouring floats. */
async function decisionBounds(): Promise<Float32Array> {
  const [low, high] = [NF4_CODE.slice(0, -1), NF4_CODE.slice(1)];
  for (;;) {
    const middle = low.map((value, i) => Math.fround((value + high[i]!) / 2));
    if (middle.every((value, i) => value === low[i] || value === high[i])) return low;
    const codes = await codesOf(middle);
    for (const [i, value] of middle.entries()) {
      if (codes[i]! <= i) low[i] = value;
      else high[i] = value;
    }
  }
}

/** The codes of numbers between −1 and 1: a 1 at the end makes the block's scale 1. */
async function codesOf(numbers: Float32Array): Promise<number[]> {
  const x = tensor(Float32Array.of(...numbers, 1));
  const quantized = await quantize4bit(x, { type: 'nf4' });
  const packed = await quantized.packed.data();
  quantized.dispose();
  x.dispose();
  return Array.from(packed).flatMap((byte) => [byte >> 4, byte & 15]);
}
