import { CheckpointError } from './errors.js';

/** Bytes that can be read by range: a file, a Blob, an array, or something of your own such as HTTP range requests. */
export interface ByteSource {
  /** What to call it in messages: a file's path or name. */
  readonly name: string;
  /** Bytes in all. */
  readonly size: number;
  /** Exactly `length` bytes from `offset`; may be a view of memory that the source keeps. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /** Gives back what the source holds open. Reading after it is an error. */
  close?(): Promise<void>;
}

/** The part of a browser's `Blob` or `File` that is used here. */
export interface BlobLike {
  readonly size: number;
  readonly name?: string;
  slice(start: number, end: number): { arrayBuffer(): Promise<ArrayBuffer> };
}

/**
 * A source over bytes in memory. Reads are views, not copies.
 *
 * @throws CheckpointError if they are no Uint8Array; from `read` if the range is not inside `bytes`
 */
export function bytesSource(bytes: Uint8Array, name = 'bytes'): ByteSource {
  if (!ArrayBuffer.isView(bytes)) {
    throw new CheckpointError(
      `bytesSource: ${name}: bytes must be a Uint8Array: got ${typeName(bytes)}; pass new Uint8Array(buffer)`,
    );
  }
  return {
    name,
    size: bytes.length,
    async read(offset, length) {
      checkRange(name, bytes.length, offset, length);
      return bytes.subarray(offset, offset + length);
    },
  };
}

/**
 * A source over a `Blob` or a `File` that a person picked in the browser. Only what is asked for is loaded.
 *
 * @param name - default: the `File`'s own name
 * @throws CheckpointError from `read` if the range is not inside the blob
 */
export function blobSource(blob: BlobLike, name = blob.name ?? 'blob'): ByteSource {
  return {
    name,
    size: blob.size,
    async read(offset, length) {
      checkRange(name, blob.size, offset, length);
      return new Uint8Array(await blob.slice(offset, offset + length).arrayBuffer());
    },
  };
}

/** What a value is, for messages. */
export function typeName(value: unknown): string {
  return Object.prototype.toString.call(value).slice('[object '.length, -1);
}

/** Throws unless `offset` and `length` lie inside a source of `size` bytes. */
export function checkRange(name: string, size: number, offset: number, length: number): void {
  const whole = Number.isSafeInteger(offset) && Number.isSafeInteger(length);
  if (whole && offset >= 0 && length >= 0 && offset + length <= size) return;
  throw new CheckpointError(
    `${name}: a read must lie inside: expected a range within 0 and ${size}, got ${length} bytes from ${offset}`,
  );
}

/** Reads `length` bytes and checks that all of them came. */
export async function readExactly(source: ByteSource, offset: number, length: number): Promise<Uint8Array> {
  if (typeof source.read !== 'function') {
    const { name = 'a file' } = source as Partial<ByteSource>;
    throw new CheckpointError(
      `${name}: a file must be a source of bytes: got ${typeName(source)}; make one with blobSource(file) or bytesSource(bytes)`,
    );
  }
  const bytes = await source.read(offset, length);
  if (bytes.length === length) return bytes;
  throw new CheckpointError(
    `${source.name}: a read must give what was asked for: expected ${length} bytes from ${offset}, got ${bytes.length}; ` +
      'the file may have changed while it was open',
  );
}
