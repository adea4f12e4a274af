/**
 * A short text in shared memory, which one thread writes and others read: four bytes that say how long it is, then UTF-8.
 * Who may read when is for others to say. worker-source.ts has the same in JavaScript.
 */
const CAPACITY = 4096;

export function sharedText(): SharedArrayBuffer {
  return new SharedArrayBuffer(4 + CAPACITY);
}

/** @throws RangeError if the text takes more than 4096 bytes */
export function writeText(buffer: SharedArrayBuffer, text: string): void {
  const bytes = new TextEncoder().encode(text);
  if (bytes.length > CAPACITY) throw new RangeError(`cpu: a text between threads has at most ${CAPACITY} bytes`);
  new Uint8Array(buffer, 4).set(bytes);
  Atomics.store(new Int32Array(buffer, 0, 1), 0, bytes.length);
}

export function readText(buffer: SharedArrayBuffer): string {
  const length = Atomics.load(new Int32Array(buffer, 0, 1), 0);
  return new TextDecoder().decode(new Uint8Array(buffer, 4, length).slice());
}
