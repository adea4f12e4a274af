/** Where pages are that are not on the device. */
export interface HostPages {
  /** Bytes of all copies. */
  readonly byteLength: number;
  /** Keeps `bytes` as the copy of page `index`; the array now belongs to the store. */
  save(index: number, bytes: Uint8Array): void;
  /** The copy of page `index`, or null if there is none. Not to be written to. */
  load(index: number): Uint8Array | null;
  /** Forgets the copy of page `index`, if there is one: the device's is newer. */
  forget(index: number): void;
  /** Forgets every copy, and lets go of what held them. */
  dispose(): void;
}

/** Pages in ordinary host memory. A page that is changed on the device has no stale copy here. */
export class MemoryPages implements HostPages {
  readonly #pages = new Map<number, Uint8Array>();

  get byteLength(): number {
    return [...this.#pages.values()].reduce((sum, bytes) => sum + bytes.byteLength, 0);
  }

  save(index: number, bytes: Uint8Array): void {
    this.#pages.set(index, bytes);
  }

  load(index: number): Uint8Array | null {
    return this.#pages.get(index) ?? null;
  }

  forget(index: number): void {
    this.#pages.delete(index);
  }

  dispose(): void {
    this.#pages.clear();
  }
}
