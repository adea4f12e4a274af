/** Grows as it is written to; little-endian. */
export class ByteWriter {
  #bytes = new Uint8Array(1024);
  #view = new DataView(this.#bytes.buffer);
  #length = 0;

  get length(): number {
    return this.#length;
  }

  /** What was written: a view, until the next write. */
  get bytes(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  uint8(value: number): void {
    const at = this.#take(1); // may make a new view
    this.#view.setUint8(at, value);
  }

  uint32(value: number): void {
    const at = this.#take(4); // may make a new view
    this.#view.setUint32(at, value, true);
  }

  int32(value: number): void {
    const at = this.#take(4); // may make a new view
    this.#view.setInt32(at, value, true);
  }

  float32(value: number): void {
    const at = this.#take(4); // may make a new view
    this.#view.setFloat32(at, value, true);
  }

  uint64(value: number): void {
    const at = this.#take(8); // may make a new view
    this.#view.setBigUint64(at, BigInt(value), true);
  }

  /** Length in bytes, then UTF-8. */
  string(value: string): void {
    const bytes = new TextEncoder().encode(value);
    this.uint64(bytes.length);
    const at = this.#take(bytes.length);
    this.#bytes.set(bytes, at);
  }

  /** Zeros up to a multiple of `alignment`. */
  align(alignment: number): void {
    this.#take((alignment - (this.#length % alignment)) % alignment);
  }

  #take(count: number): number {
    const at = this.#length;
    this.#length += count;
    if (this.#length > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#length, 2 * this.#bytes.length));
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return at;
  }
}
