import {
  dequantizeBlockwise8,
  type FourBitType,
  FP4_CODE,
  NF4_CODE,
  type QuantizedTensor,
  quantize4bit,
} from '@burin/quant-nf4';
import { full, type Tensor } from '@burin/tensor';
import { type Case, Unsupported } from '../case.js';
import type { HostTensor } from '../host-tensor.js';
import { type Actual, type Outcome, read } from '../outcome.js';

const TABLES: Readonly<Record<FourBitType, Readonly<Float32Array>>> = { nf4: NF4_CODE, fp4: FP4_CODE };

/** A tensor in 4 bits: codes, scales, what they stand for, and how close the decisions were. */
export async function fourBitTensor(c: Case): Promise<Outcome> {
  const type = c.config.text('quant_type');
  if (type !== 'nf4' && type !== 'fp4') throw new Unsupported(`the 4-bit type '${type}'`);
  const options = { type, blockSize: c.config.number('blocksize') } as const;
  const plain = await quantize4bit(c.tensor('x'), options);
  const quantized = await quantize4bit(c.tensor('x'), { ...options, doubleQuant: c.config.flag('double_quant') });
  checkNested(c, quantized);
  const tensors = await read(() => ({ ...partsOf(quantized), absmax_raw: plain.absmax!.clone() }));
  for (const each of [plain, quantized]) each.dispose();
  const packed: Actual = { ...tensors.packed!, ...(type === 'fp4' && { canonical: withoutNegativeZero }) };
  return { tensors: { ...tensors, packed }, values: closeness(c, tensors, quantized) };
}

function checkNested({ config }: Case, { isNested, nestedBlockSize }: QuantizedTensor): void {
  if (!isNested || config.number('nested_blocksize') === nestedBlockSize) return;
  throw new Unsupported(`double quantization in blocks other than ${nestedBlockSize}`);
}

function partsOf(quantized: QuantizedTensor): Record<string, Tensor | null> {
  const { packed, absmax, absmaxCodes, nestedAbsmax, nestedCode, nestedOffset, nestedBlockSize } = quantized;
  const copy = (part: Tensor | null) => part?.clone() ?? null;
  const dequantized = quantized.dequantize();
  if (!absmaxCodes) return { packed: copy(packed), absmax: copy(absmax), dequantized };
  const scales = { codes: absmaxCodes, absmax: nestedAbsmax!, code: nestedCode!, blockSize: nestedBlockSize };
  return {
    packed: copy(packed),
    dequantized,
    absmax_codes: copy(absmaxCodes),
    nested_absmax: copy(nestedAbsmax),
    nested_code: copy(nestedCode),
    nested_offset: full([1], nestedOffset),
    absmax_dequantized: dequantizeBlockwise8(scales, { offset: nestedOffset }),
  };
}

/** Code 8 of FP4 is a second zero, in either half of a byte. */
function withoutNegativeZero(byte: number): number {
  const zero = (code: number) => (code === 8 ? 0 : code);
  return (zero(byte >> 4) << 4) | zero(byte & 15);
}

function closeness(
  c: Case,
  tensors: Record<string, HostTensor>,
  { type, blockSize, nestedBlockSize, nestedOffset, isNested }: QuantizedTensor,
): Record<string, number> {
  const x = c.host('x').data;
  const { dequantized, absmax_raw, nested_absmax, nested_code } = tensors;
  let largest = 0;
  for (let i = 0; i < x.length; i++) largest = Math.max(largest, Math.abs(x[i]! - dequantized!.data[i]!));
  const margins = [marginOf(x, absmax_raw!.data, blockSize, TABLES[type])];
  if (isNested) {
    const centered = Float64Array.from(absmax_raw!.data, (scale) => scale - nestedOffset);
    margins.push(marginOf(centered, nested_absmax!.data, nestedBlockSize, nested_code!.data));
  }
  return { max_abs_error: largest, smallest_margin_to_a_decision_boundary: Math.min(...margins) };
}

/** The smallest distance of a scaled number from the middle between two neighbouring entries of the table. */
function marginOf(
  numbers: ArrayLike<number>,
  scales: ArrayLike<number>,
  blockSize: number,
  table: ArrayLike<number>,
): number {
  const sorted = Float64Array.from(table).sort();
  const bounds = sorted.slice(1).map((entry, i) => (entry + sorted[i]!) / 2);
  let smallest = Infinity;
  for (let i = 0; i < numbers.length; i++) {
    const scale = scales[Math.floor(i / blockSize)]!;
    if (scale === 0) continue; // a block of zeros decides nothing
    for (const bound of bounds) smallest = Math.min(smallest, Math.abs(numbers[i]! / scale - bound));
  }
  return smallest;
}
