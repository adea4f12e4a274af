import { checkDtype, checkShape, countBytes, dtypeRank, type SafetensorsDtype } from './dtype.js';
import { CheckpointError, label } from './errors.js';
import {
  MAX_HEADER_LENGTH,
  METADATA_KEY,
  type Metadata,
  PREFIX_LENGTH,
  parseMetadata,
  type TensorInfo,
} from './header.js';
import { isWellFormed } from './json.js';

/** What a writer must know of a tensor before its bytes. */
interface TensorShape {
  readonly name: string;
  readonly dtype: SafetensorsDtype;
  readonly shape: readonly number[];
}

/** Where everything goes in a file that is about to be written. */
export interface Layout<T extends TensorShape> {
  /** The 8 bytes of header length and the padded header. */
  readonly header: Uint8Array;
  /** In the order in which the tensors lie in the file. */
  readonly placed: readonly { readonly tensor: T; readonly info: TensorInfo }[];
  /** Size of the whole file. */
  readonly byteLength: number;
}

/**
 * Orders tensors as the reference implementation does (most aligned dtype first, then by name), and makes the header.
 *
 * @param file - what to call the file in messages
 * @throws CheckpointError if a name comes twice or is not text, or a dtype, a shape or the metadata is not valid
 */
export function layOut<T extends TensorShape>(file: string, tensors: Iterable<T>, metadata: Metadata = {}): Layout<T> {
  const sorted = [...tensors].sort(
    (a, b) => dtypeRank(b.dtype) - dtypeRank(a.dtype) || compareCodePoints(a.name, b.name),
  );
  checkNames(file, sorted);
  const sizes = sorted.map(({ name, dtype, shape }) => {
    const who = `${file}: ${label(name)}`;
    checkDtype(who, dtype);
    checkShape(who, shape);
    return countBytes(who, dtype, shape);
  });
  const header = encodeHeader(file, sorted, sizes, parseMetadata(file, metadata));
  let byteOffset = header.length;
  const placed = sorted.map((tensor, index) => {
    const byteLength = sizes[index]!;
    const info = { name: tensor.name, dtype: tensor.dtype, shape: [...tensor.shape], byteOffset, byteLength };
    byteOffset += byteLength;
    return { tensor, info };
  });
  return { header, placed, byteLength: byteOffset };
}

function checkNames(file: string, tensors: readonly TensorShape[]): void {
  const seen = new Set<string>();
  for (const { name } of tensors) {
    const who = `${file}: ${label(name)}`;
    if (name === METADATA_KEY) {
      throw new CheckpointError(`${who}: a tensor cannot have this name: the format keeps it for the file's metadata`);
    }
    if (!isWellFormed(name)) {
      throw new CheckpointError(`${who}: a tensor's name must be Unicode text: got half of a surrogate pair`);
    }
    if (seen.has(name)) throw new CheckpointError(`${who}: a tensor's name must be unique: got it twice`);
    seen.add(name);
  }
}

function encodeHeader(
  file: string,
  tensors: readonly TensorShape[],
  sizes: readonly number[],
  metadata: Metadata,
): Uint8Array {
  const entries = Object.keys(metadata).length > 0 ? [`"${METADATA_KEY}":${JSON.stringify(metadata)}`] : [];
  let begin = 0;
  tensors.forEach(({ name, dtype, shape }, index) => {
    const end = begin + sizes[index]!;
    entries.push(`${JSON.stringify(name)}:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${begin},${end}]}`);
    begin = end;
  });
  const json = new TextEncoder().encode(`{${entries.join(',')}}`);
  if (json.length > MAX_HEADER_LENGTH) {
    throw new CheckpointError(
      `${file}: header must be at most ${MAX_HEADER_LENGTH} bytes: got ${json.length}; write several files`,
    );
  }
  const padded = Math.ceil(json.length / 8) * 8; // so that the first tensor is aligned
  const header = new Uint8Array(PREFIX_LENGTH + padded).fill(0x20, PREFIX_LENGTH);
  header.set(json, PREFIX_LENGTH);
  new DataView(header.buffer).setBigUint64(0, BigInt(padded), true);
  return header;
}

/** Order of UTF-8 bytes, in which Rust and Python sort; that of UTF-16 differs beyond U+FFFF. */
function compareCodePoints(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const difference = utf8Order(a.charCodeAt(i)) - utf8Order(b.charCodeAt(i));
    if (difference !== 0) return difference;
  }
  return a.length - b.length;
}

/** Moves the surrogates behind U+E000 ... U+FFFF, where their code points are. */
function utf8Order(unit: number): number {
  if (unit >= 0xe000) return unit - 0x800;
  return unit >= 0xd800 ? unit + 0x2000 : unit;
}
