import { writeAtomically } from '@burin/checkpoint';
import { ByteWriter } from './byte-writer.js';
import { GgufError } from './errors.js';
import type { Metadata, MetadataValue } from './metadata.js';
import { byteLengthOf, type GgufType, TYPES } from './tensor-type.js';

/** A tensor to be written. */
export interface GgufTensor {
  readonly name: string;
  /** Row-major, as everywhere here; the file lists axes the other way round. */
  readonly shape: readonly number[];
  readonly type: GgufType;
  /** Its bytes as stored, in order; called once, when its turn comes. */
  readonly pieces: () => AsyncIterable<Uint8Array>;
}

/** What was written. */
export interface GgufFile {
  readonly path: string;
  readonly byteLength: number;
  readonly tensors: readonly { readonly name: string; readonly shape: readonly number[]; readonly type: GgufType }[];
}

const ALIGNMENT = 32; // of each tensor, and the default where `general.alignment` is not set
const VERSION = 3;

/** Numbers of the types of metadata values. */
const VALUE_TYPES = { uint32: 4, int32: 5, float32: 6, bool: 7, string: 8, array: 9 } as const;

/**
 * Writes a GGUF file, one tensor after another: whole or not at all.
 *
 * @throws CheckpointError if the disk refuses; GgufError if a tensor's pieces have not the length of its shape and type.
 *   `path` is then as it was
 * @see https://github.com/ggml-org/ggml/blob/master/docs/gguf.md
 */
export async function writeGguf(path: string, metadata: Metadata, tensors: readonly GgufTensor[]): Promise<GgufFile> {
  const header = headerOf(metadata, tensors);
  let byteLength = header.length;
  await writeAtomically('writeGguf', path, async (write) => {
    await write(header);
    for (const tensor of tensors) byteLength += await writeTensor(path, tensor, write);
  });
  return { path, byteLength, tensors: tensors.map(({ name, shape, type }) => ({ name, shape, type })) };
}

async function writeTensor(
  path: string,
  tensor: GgufTensor,
  write: (bytes: Uint8Array) => Promise<void>,
): Promise<number> {
  const expected = byteLengthOf(tensor.type, tensor.shape);
  let written = 0;
  for await (const piece of tensor.pieces()) {
    await write(piece);
    written += piece.length;
  }
  if (written !== expected) {
    throw new GgufError(`${path}: ${tensor.name}: expected ${expected} bytes of ${tensor.type}, got ${written}`);
  }
  const padding = aligned(written) - written;
  if (padding > 0) await write(new Uint8Array(padding));
  return written + padding;
}

function headerOf(metadata: Metadata, tensors: readonly GgufTensor[]): Uint8Array {
  const writer = new ByteWriter();
  for (const letter of 'GGUF') writer.uint8(letter.charCodeAt(0));
  writer.uint32(VERSION);
  writer.uint64(tensors.length);
  writer.uint64(metadata.size);
  for (const [key, value] of metadata) {
    writer.string(key);
    writeValue(writer, value);
  }
  let offset = 0;
  for (const { name, shape, type } of tensors) {
    writer.string(name);
    writer.uint32(shape.length);
    for (const length of shape.toReversed()) writer.uint64(length);
    writer.uint32(TYPES[type].id);
    writer.uint64(offset);
    offset += aligned(byteLengthOf(type, shape));
  }
  writer.align(ALIGNMENT);
  return writer.bytes;
}

function aligned(length: number): number {
  return Math.ceil(length / ALIGNMENT) * ALIGNMENT;
}

function writeValue(writer: ByteWriter, entry: MetadataValue): void {
  switch (entry.type) {
    case 'strings':
      writeArray(writer, 'string', entry.value, (value) => writer.string(value));
      break;
    case 'float32s':
      writeArray(writer, 'float32', entry.value, (value) => writer.float32(value));
      break;
    case 'int32s':
      writeArray(writer, 'int32', entry.value, (value) => writer.int32(value));
      break;
    default:
      writer.uint32(VALUE_TYPES[entry.type]);
      writeScalar(writer, entry);
  }
}

function writeScalar(writer: ByteWriter, entry: Exclude<MetadataValue, { value: readonly unknown[] }>): void {
  if (entry.type === 'bool') writer.uint8(entry.value ? 1 : 0);
  else if (entry.type === 'string') writer.string(entry.value);
  else writer[entry.type](entry.value);
}

function writeArray<T>(
  writer: ByteWriter,
  type: keyof typeof VALUE_TYPES,
  values: readonly T[],
  write: (value: T) => void,
): void {
  writer.uint32(VALUE_TYPES.array);
  writer.uint32(VALUE_TYPES[type]);
  writer.uint64(values.length);
  for (const value of values) write(value);
}
