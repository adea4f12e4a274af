import type { HostPages } from './host-pages.js';

/**
 * Pages in a file with random access: page i lies at `i · pageBytes`. The file is made at once and removed by `dispose()`.
 *
 * Reads and writes are synchronous: a device that asks for room in the middle of an allocation cannot wait.
 */
export class FilePages implements HostPages {
  readonly #fs: typeof import('node:fs');
  readonly #path: string;
  readonly #pageBytes: number;
  readonly #lengths = new Map<number, number>(); // bytes of the pages that have a copy here
  #descriptor: number | null;

  /** @throws Error if there is no file system here, or the file exists already or cannot be made */
  constructor(who: string, path: string, pageBytes: number) {
    this.#fs = nodeFileSystem(who);
    this.#path = path;
    this.#pageBytes = pageBytes;
    this.#descriptor = this.#create(who);
  }

  get byteLength(): number {
    return [...this.#lengths.values()].reduce((sum, length) => sum + length, 0);
  }

  save(index: number, bytes: Uint8Array): void {
    const start = index * this.#pageBytes;
    for (let done = 0; done < bytes.byteLength; ) {
      done += this.#fs.writeSync(this.#open(), bytes, done, bytes.byteLength - done, start + done);
    }
    this.#lengths.set(index, bytes.byteLength);
  }

  load(index: number): Uint8Array | null {
    const length = this.#lengths.get(index);
    if (length === undefined) return null;
    const bytes = new Uint8Array(length);
    const start = index * this.#pageBytes;
    for (let done = 0; done < length; ) {
      const read = this.#fs.readSync(this.#open(), bytes, done, length - done, start + done);
      if (read === 0)
        throw new Error(`optimizer pages: ${this.#path} was cut short: page ${index} ends at byte ${done}`);
      done += read;
    }
    return bytes;
  }

  forget(index: number): void {
    this.#lengths.delete(index);
  }

  dispose(): void {
    if (this.#descriptor === null) return;
    this.#fs.closeSync(this.#descriptor);
    this.#descriptor = null;
    this.#lengths.clear();
    this.#fs.rmSync(this.#path, { force: true });
  }

  #create(who: string): number {
    try {
      return this.#fs.openSync(this.#path, 'wx+', 0o600);
    } catch (cause) {
      if ((cause as { code?: string }).code !== 'EEXIST') throw cause;
      throw new Error(
        `${who}: file must be a path where nothing is yet, got ${this.#path}, which exists; ` +
          'give another, or delete it if a run that was killed left it behind',
        { cause },
      );
    }
  }

  #open(): number {
    if (this.#descriptor === null) throw new Error(`optimizer pages: ${this.#path} is closed`);
    return this.#descriptor;
  }
}

/** Reached this way, Node's file system is seen by no bundler. */
function nodeFileSystem(who: string): typeof import('node:fs') {
  const fs = globalThis.process?.getBuiltinModule?.('node:fs');
  if (fs) return fs;
  throw new Error(`${who}: file needs Node's file system; leave it out here, and pages go to host memory`);
}
