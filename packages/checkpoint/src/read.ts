import { type ByteSource, checkRange, readExactly } from './byte-source.js';
import { CheckpointError, label } from './errors.js';
import {
  type Header,
  type Metadata,
  PREFIX_LENGTH,
  parseHeader,
  parseHeaderLength,
  type TensorInfo,
} from './header.js';

/** `length` bytes from `offset`. */
export interface ByteRange {
  readonly offset: number;
  readonly length: number;
}

/** An open checkpoint, of one file or of several: what is in it, and one tensor's bytes at a time. */
export interface SafetensorsFile {
  /** The file's name, or the folder's. */
  readonly name: string;
  readonly metadata: Metadata;
  /** In the order in which the tensors lie in the file. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /**
   * The bytes of one tensor, little-endian and row-major: only its own range is read. Do not write to them.
   *
   * @param part - only these bytes of it, counted from its first; left out: all
   * @throws CheckpointError if there is no such tensor, `part` leaves it, or the file is shorter than it was when it was
   *   opened
   */
  read(name: string, part?: ByteRange): Promise<Uint8Array>;
  close(): Promise<void>;
}

/** A tensor and its bytes, little-endian and row-major. */
export interface TensorBytes {
  readonly name: string;
  readonly dtype: TensorInfo['dtype'];
  readonly shape: readonly number[];
  readonly data: Uint8Array;
}

/**
 * Opens a safetensors file: reads and checks its header, and no tensor yet. The file owns `source` from here on: it is
 * closed by `close()`, or at once where the header is refused.
 *
 * @throws CheckpointError if the file breaks a rule of the format; the message names the tensor and the rule
 * @see https://huggingface.co/docs/safetensors/index#format
 * @example
 * const file = await openSafetensors(await fileSource('model.safetensors'));
 * const bytes = await file.read('lm_head.weight');
 */
export async function openSafetensors(source: ByteSource): Promise<SafetensorsFile> {
  try {
    const { metadata, tensors } = await readHeader(source);
    return {
      name: source.name,
      metadata,
      tensors,
      async read(name, part) {
        const { byteOffset, byteLength } = findTensor(source.name, tensors, name);
        if (part) checkRange(`${source.name}: ${label(name)}`, byteLength, part.offset, part.length);
        const { offset, length } = part ?? { offset: 0, length: byteLength };
        return length === 0 ? new Uint8Array(0) : readExactly(source, byteOffset + offset, length);
      },
      async close() {
        await source.close?.();
      },
    };
  } catch (error) {
    await source.close?.();
    throw error;
  }
}

async function readHeader(source: ByteSource): Promise<Header> {
  const { name, size } = source;
  const prefix = await readExactly(source, 0, Math.min(PREFIX_LENGTH, size));
  const length = parseHeaderLength(name, prefix, size);
  return parseHeader(name, await readExactly(source, PREFIX_LENGTH, length), size);
}

/**
 * Reads a whole safetensors file that is in memory. The tensors' `data` are views of `bytes`, not copies.
 *
 * @param name - what to call the file in messages
 * @throws CheckpointError as `openSafetensors` does
 */
export function readSafetensors(
  bytes: Uint8Array,
  name = 'bytes',
): { readonly metadata: Metadata; readonly tensors: ReadonlyMap<string, TensorInfo & TensorBytes> } {
  const length = parseHeaderLength(name, bytes, bytes.length);
  const header = parseHeader(name, bytes.subarray(PREFIX_LENGTH, PREFIX_LENGTH + length), bytes.length);
  const tensors = new Map<string, TensorInfo & TensorBytes>();
  for (const info of header.tensors.values()) {
    tensors.set(info.name, { ...info, data: bytes.subarray(info.byteOffset, info.byteOffset + info.byteLength) });
  }
  return { metadata: header.metadata, tensors };
}

/** The entry of `name`, or an error that lists what there is. */
export function findTensor<T>(file: string, tensors: ReadonlyMap<string, T>, name: string): T {
  const found = tensors.get(name);
  if (found !== undefined) return found;
  const names = [...tensors.keys()].slice(0, 5).map(label).join(', ');
  throw new CheckpointError(
    `${file}: no tensor is called "${label(name)}": the file holds ${tensors.size}` +
      (tensors.size === 0 ? '' : ` (${names}${tensors.size > 5 ? ', ...' : ''})`),
  );
}
