import { readFileSync } from 'node:fs';
import { gguf } from '@huggingface/gguf';

/** A GGUF file as another library sees its header, and as the format's description says that its blocks are read. */
export interface ReadGguf {
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly tensors: ReadonlyMap<string, ReadTensor>;
}

export interface ReadTensor {
  /** Row-major. */
  readonly shape: number[];
  readonly type: string;
  readonly bytes: Buffer;
  readonly values: number[];
}

const TYPE_NAMES: Readonly<Record<number, string>> = { 0: 'F32', 1: 'F16', 2: 'Q4_0', 8: 'Q8_0' };
const BLOCKS: Readonly<Record<string, [elements: number, bytes: number]>> = {
  ...{ F32: [1, 4], F16: [1, 2] },
  ...{ Q4_0: [32, 18], Q8_0: [32, 34] },
};

export async function readGguf(path: string): Promise<ReadGguf> {
  const { metadata, tensorInfos, tensorDataOffset } = await gguf(path, { allowLocalFile: true });
  const file = readFileSync(path);
  const tensors = new Map<string, ReadTensor>();
  for (const info of tensorInfos) {
    const shape = info.shape.map(Number).reverse();
    const type = TYPE_NAMES[info.dtype]!;
    const size = shape.reduce((a, b) => a * b, 1);
    const [elements, width] = BLOCKS[type]!;
    const start = Number(tensorDataOffset + info.offset);
    if (start % 32 !== 0) throw new Error(`${info.name} is not aligned`);
    const bytes = file.subarray(start, start + (size / elements) * width);
    tensors.set(info.name, { shape, type, bytes, values: decode(type, bytes) });
  }
  return { metadata: metadata as unknown as Record<string, unknown>, tensors };
}

function decode(type: string, bytes: Buffer): number[] {
  const values: number[] = [];
  if (type === 'F32') for (let at = 0; at < bytes.length; at += 4) values.push(bytes.readFloatLE(at));
  if (type === 'F16') for (let at = 0; at < bytes.length; at += 2) values.push(half(bytes.readUInt16LE(at)));
  for (let at = 0; type === 'Q8_0' && at < bytes.length; at += 34) {
    const d = half(bytes.readUInt16LE(at));
    for (let i = 0; i < 32; i++) values.push(d * bytes.readInt8(at + 2 + i));
  }
  for (let at = 0; type === 'Q4_0' && at < bytes.length; at += 18) {
    const d = half(bytes.readUInt16LE(at));
    for (let i = 0; i < 16; i++) values.push(d * ((bytes[at + 2 + i]! & 15) - 8));
    for (let i = 0; i < 16; i++) values.push(d * ((bytes[at + 2 + i]! >> 4) - 8));
  }
  return values;
}

/** A float16 by its definition. */
function half(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return sign * (exponent === 0 ? fraction * 2 ** -24 : (1 + fraction / 1024) * 2 ** (exponent - 15));
}
