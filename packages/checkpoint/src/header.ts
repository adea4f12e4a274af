import { checkDtype, checkShape, countBytes, isCount, type SafetensorsDtype } from './dtype.js';
import { CheckpointError, label, shown } from './errors.js';
import { isJsonObject, isWellFormed, parseJsonObject } from './json.js';

/** What a file says of one tensor, checked. */
export interface TensorInfo {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
  /** Place of the first byte, counted from the start of the file. */
  readonly byteOffset: number;
  readonly byteLength: number;
}

/** The file's own notes, such as `{ format: 'pt' }`. Has no prototype. */
export type Metadata = Readonly<Record<string, string>>;

export interface Header {
  readonly metadata: Metadata;
  /** In the order in which the tensors lie in the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
}

/** Bytes of the header's length, a little-endian unsigned 64-bit integer at the start of the file. */
export const PREFIX_LENGTH = 8;

/** The reference implementation refuses longer headers (`MAX_HEADER_SIZE` in safetensors/src/tensor.rs). */
export const MAX_HEADER_LENGTH = 100_000_000;

export const METADATA_KEY = '__metadata__';

/**
 * The header's length in bytes, out of the first 8 bytes of a file.
 *
 * @throws CheckpointError if it is 0, above the limit, or reaches past the end of the file
 */
export function parseHeaderLength(file: string, prefix: Uint8Array, fileSize: number): number {
  if (fileSize < PREFIX_LENGTH) {
    throw new CheckpointError(
      `${file}: a safetensors file starts with 8 bytes of header length: got a file of ${fileSize} bytes; ` +
        'it is empty or was cut off, fetch it again',
    );
  }
  const length = new DataView(prefix.buffer, prefix.byteOffset, PREFIX_LENGTH).getBigUint64(0, true);
  if (length === 0n) {
    throw new CheckpointError(`${file}: header length must be 1 or more: got 0; this is not a safetensors file`);
  }
  if (length > BigInt(MAX_HEADER_LENGTH)) {
    throw new CheckpointError(
      `${file}: header length must be at most ${MAX_HEADER_LENGTH}: got ${length}; this is not a safetensors file`,
    );
  }
  if (length > BigInt(fileSize - PREFIX_LENGTH)) {
    throw new CheckpointError(
      `${file}: header must end inside the file: expected at most ${fileSize - PREFIX_LENGTH} bytes, got ${length}; ` +
        'the file was cut off, or is not a safetensors file',
    );
  }
  return Number(length);
}

/**
 * Parses and checks a header. After it, every tensor lies inside the file, none overlaps another, no byte is left over.
 *
 * @param bytes - the JSON part, without the 8 bytes before it
 * @throws CheckpointError naming the file, the tensor and the rule
 * @see https://huggingface.co/docs/safetensors/index#format
 */
export function parseHeader(file: string, bytes: Uint8Array, fileSize: number): Header {
  const dataStart = PREFIX_LENGTH + bytes.length;
  const dataLength = fileSize - dataStart;
  const entries = Object.entries(parseJsonObject(`${file}: header`, bytes));
  const notes = entries.find(([name]) => name === METADATA_KEY);
  const infos = entries
    .filter(([name]) => name !== METADATA_KEY)
    .map(([name, entry]) => parseEntry(file, name, entry, dataStart, dataLength))
    .sort((a, b) => a.byteOffset - b.byteOffset || a.byteLength - b.byteLength);
  checkCover(file, infos, dataStart, fileSize);
  return {
    metadata: parseMetadata(file, notes?.[1] ?? {}), // null is none, as to the reference
    tensors: new Map(infos.map((info) => [info.name, info])),
  };
}

function parseEntry(file: string, name: string, entry: unknown, dataStart: number, dataLength: number): TensorInfo {
  const who = `${file}: ${label(name)}`;
  if (!isWellFormed(name)) {
    throw new CheckpointError(`${who}: a tensor's name must be Unicode text: got half of a surrogate pair`);
  }
  if (!isJsonObject(entry)) {
    throw new CheckpointError(
      `${who}: a tensor must be described by an object: expected { dtype, shape, data_offsets }, got ${shown(entry)}`,
    );
  }
  const { dtype, shape, data_offsets: offsets } = entry;
  checkDtype(who, dtype);
  checkShape(who, shape);
  checkOffsets(who, offsets, dataLength);
  const expected = countBytes(who, dtype, shape);
  const [begin, end] = offsets;
  if (end - begin !== expected) {
    throw new CheckpointError(
      `${who}: data_offsets must span what dtype and shape need: expected ${expected} bytes (${dtype} [${shape}]), ` +
        `got ${end - begin} ([${begin}, ${end}])`,
    );
  }
  return { name, dtype, shape: [...shape], byteOffset: dataStart + begin, byteLength: expected };
}

function checkOffsets(who: string, offsets: unknown, dataLength: number): asserts offsets is [number, number] {
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw new CheckpointError(
      `${who}: data_offsets must be two whole numbers: expected [begin, end], each from 0 to ${Number.MAX_SAFE_INTEGER}, ` +
        `got ${shown(offsets)}`,
    );
  }
  const [begin, end] = offsets as [number, number];
  if (begin > end) {
    throw new CheckpointError(
      `${who}: data_offsets must not run backwards: expected begin <= end, got [${begin}, ${end}]`,
    );
  }
  if (end > dataLength) {
    throw new CheckpointError(
      `${who}: data_offsets must lie inside the file: expected an end of at most ${dataLength}, got [${begin}, ${end}]; ` +
        'the file may have been cut off, fetch it again',
    );
  }
}

/** Checks that tensors, in order of their offsets, follow one another from the header to the end of the file. */
function checkCover(file: string, infos: readonly TensorInfo[], dataStart: number, fileSize: number): void {
  let next = dataStart;
  for (const { name, byteOffset, byteLength } of infos) {
    if (byteOffset !== next) {
      const rule = byteOffset < next ? 'a tensor must not overlap the one before it' : 'tensors must leave no hole';
      throw new CheckpointError(
        `${file}: ${label(name)}: ${rule}: expected data_offsets to begin at ${next - dataStart}, ` +
          `got ${byteOffset - dataStart}`,
      );
    }
    next += byteLength;
  }
  if (next === fileSize) return;
  throw new CheckpointError(
    `${file}: tensors must cover the file to its end: expected ${next - dataStart} bytes after the header, ` +
      `got ${fileSize - dataStart}`,
  );
}

/** Throws unless `notes` maps strings to strings. Returns a copy without prototype. */
export function parseMetadata(file: string, notes: unknown): Metadata {
  if (!isJsonObject(notes)) {
    throw new CheckpointError(`${file}: ${METADATA_KEY} must be an object of strings: got ${shown(notes)}`);
  }
  const metadata = Object.create(null) as Record<string, string>; // so that a key `__proto__` is a key like any other
  for (const [key, value] of Object.entries(notes)) {
    if (typeof value !== 'string' || !isWellFormed(value) || !isWellFormed(key)) {
      throw new CheckpointError(
        `${file}: ${METADATA_KEY} must map text to text: expected a string for "${label(key)}", got ${shown(value)}`,
      );
    }
    metadata[key] = value;
  }
  return metadata;
}
