import { type Device, keep, MemoryError, Tensor } from '@burin/tensor';
import type { HostPages } from './host-pages.js';
import type { Page } from './page.js';
import { PagingCounts } from './paging-statistics.js';
import { after, type Pending } from './pending.js';

/**
 * Decides which pages are on the device: those used last, as many as fit. The others are on the host.
 *
 * A page comes in when it is taken or prefetched. When room is needed, for a page or by anyone else who allocates, the
 * least recently used page that is not pinned goes out: copied to the host if it is dirty, dropped if not. On a device
 * without `readNow` a dirty page cannot go out inside somebody's allocation; room for pages is made before theirs.
 */
export class PagePool {
  readonly counts = new PagingCounts();
  /** Bytes of pages on the device. */
  deviceBytes = 0;
  readonly #who: string;
  readonly #device: Device;
  readonly #host: HostPages;
  readonly #limit: number;
  readonly #resident = new Set<Page<unknown>>(); // least recently used first
  #unsubscribe: (() => void) | null = null;

  /** @param limit - the most bytes of pages on the device; at least those of the largest page */
  constructor(who: string, device: Device, host: HostPages, limit: number) {
    this.#who = who;
    this.#device = device;
    this.#host = host;
    this.#limit = limit;
  }

  get pagesOnDevice(): number {
    return this.#resident.size;
  }

  get hostBytes(): number {
    return this.#host.byteLength;
  }

  /** Finds out whether a page of this size can be held, before a step changes anything. @throws MemoryError if not */
  reserve(byteLength: number): Pending {
    this.#unsubscribe ??= this.#device.memory.onPressure(({ shortfallBytes }) => this.#relieve(shortfallBytes));
    if (byteLength === 0 || this.#couldFit(byteLength)) return undefined;
    return after(this.#makeRoom(byteLength), () => this.#probe(byteLength));
  }

  /** Brings a page in, if it is not there, and keeps it there until it is given back. */
  take(page: Page<unknown>): Pending {
    page.pinned = true;
    if (page.tensor && !page.moving) return this.#touch(page);
    const begin = performance.now();
    const movedBefore = page.moving ? -1 : this.#moved();
    const coming = after(page.moving, () => this.#come(page));
    return after(coming, (): undefined => {
      if (this.#moved() === movedBefore) return; // a new page, and there was room for it
      this.counts.waits++;
      this.counts.waitMilliseconds += performance.now() - begin;
    });
  }

  /** Brings a page in before its turn, if that drives nobody out but pages that are not in use. */
  prefetch(page: Page<unknown>): void {
    if (page.tensor) this.#touch(page);
    if (page.tensor || page.moving || !this.#couldFit(page.byteLength)) return;
    const coming = after(this.#makeRoom(page.byteLength), () => this.#tryToBringIn(page));
    if (coming) this.#mark(page, coming);
  }

  /** Ends what `take` began. @param changed - the page was written to */
  giveBack(page: Page<unknown>, changed: boolean): void {
    page.pinned = false;
    if (!changed) return;
    page.dirty = true;
    this.#host.forget(page.index);
  }

  /** Copies dirty pages to the host; they stay on the device too, and can leave it without a copy. */
  async flush(): Promise<void> {
    for (const page of this.#resident) {
      if (!page.dirty) continue;
      this.#saved(page, this.#readNow(page) ?? (await page.tensor!.bytes()));
    }
  }

  /** A copy of a page, wherever it is. */
  async read(page: Page<unknown>): Promise<Uint8Array> {
    if (page.tensor) return this.#readNow(page) ?? (await page.tensor.bytes());
    return this.#host.load(page.index) ?? new Uint8Array(page.byteLength);
  }

  /** Gives a page that is not on the device its contents. `bytes` now belongs to the pool. */
  write(page: Page<unknown>, bytes: Uint8Array): void {
    this.#host.save(page.index, bytes);
  }

  /** Forgets the contents of pages. */
  clear(pages: readonly Page<unknown>[]): void {
    for (const page of pages) {
      if (page.tensor) this.#drop(page);
      this.#host.forget(page.index);
    }
  }

  /** Frees all memory, and the file if there is one. */
  dispose(): void {
    this.#unsubscribe?.();
    for (const page of this.#resident) this.#drop(page);
    this.#host.dispose();
  }

  #touch(page: Page<unknown>): undefined {
    this.#resident.delete(page);
    this.#resident.add(page);
  }

  #moved(): number {
    return this.counts.pagesIn + this.counts.pagesOut;
  }

  #come(page: Page<unknown>): Pending {
    if (page.tensor) return this.#touch(page);
    return after(this.#makeRoom(page.byteLength), () => this.#bringIn(page));
  }

  #bringIn(page: Page<unknown>): undefined {
    const copy = this.#host.load(page.index);
    const tensor = this.#allocate(page.byteLength);
    if (copy) {
      this.#device.write(tensor.storage.buffer, copy);
      this.counts.pagesIn++;
      this.counts.bytesIn += copy.byteLength;
    } else tensor.fill_(0);
    page.tensor = tensor;
    page.dirty = false;
    this.#resident.add(page);
    this.deviceBytes += page.byteLength;
  }

  /** A prefetch that finds no room after all is none: the page comes at its turn. */
  #tryToBringIn(page: Page<unknown>): undefined {
    try {
      this.#bringIn(page);
    } catch (error) {
      if (!(error instanceof MemoryError)) throw error;
    }
  }

  #allocate(byteLength: number): Tensor {
    try {
      return keep(Tensor.allocate([byteLength / 4], 'float32', this.#device));
    } catch (error) {
      throw error instanceof MemoryError ? this.#noRoom(byteLength, error) : error;
    }
  }

  /** Listeners of others may make room where pages cannot. */
  #probe(byteLength: number): undefined {
    this.#allocate(byteLength).dispose();
  }

  #noRoom(byteLength: number, cause: MemoryError): MemoryError {
    const { liveBytes, budget } = this.#device.memory;
    const who = `${this.#who}: a page of ${byteLength} bytes of optimizer state does not fit`;
    const message = Number.isFinite(budget)
      ? `${who}: ${liveBytes} of the device's budget of ${budget} bytes are in use; the smallest budget that would do is ` +
        `${liveBytes + byteLength} bytes; raise device.memory.budget, free other tensors, or make pageBytes smaller`
      : `${who}; free other tensors, or make pageBytes smaller: ${cause.message}`;
    return new MemoryError(message, { cause });
  }

  #fits(byteLength: number): boolean {
    const { liveBytes, budget } = this.#device.memory;
    return this.deviceBytes + byteLength <= this.#limit && liveBytes + byteLength <= budget;
  }

  /** Whether it would fit if every page left that may leave. */
  #couldFit(byteLength: number): boolean {
    if (this.#fits(byteLength)) return true;
    let leaving = 0;
    for (const page of this.#resident) if (!page.pinned) leaving += page.byteLength;
    return this.#fits(byteLength - leaving);
  }

  /** Sends pages out until `byteLength` bytes fit, or none is left that may go. */
  #makeRoom(byteLength: number): Pending {
    while (!this.#fits(byteLength)) {
      const page = this.#leastRecentlyUsed();
      if (!page) return undefined;
      const leaving = page.moving ?? this.#sendOut(page);
      if (leaving) return leaving.then(() => this.#makeRoom(byteLength));
    }
    return undefined;
  }

  /** The page that goes next: one that may leave, or else one that is leaving. */
  #leastRecentlyUsed(): Page<unknown> | null {
    let leaving: Page<unknown> | null = null;
    for (const page of this.#resident) {
      if (page.pinned) continue;
      if (!page.moving) return page;
      leaving ??= page;
    }
    return leaving;
  }

  /** What the device asks for in the middle of an allocation: frees bytes, allocates nothing. */
  #relieve(shortfallBytes: number): void {
    let missing = shortfallBytes;
    for (const page of this.#resident) {
      if (missing <= 0) return;
      if (page.pinned || (page.dirty && !this.#device.readNow)) continue; // a page on its way out is dirty
      missing -= page.byteLength;
      this.#sendOut(page);
    }
  }

  #sendOut(page: Page<unknown>): Pending {
    if (!page.dirty) {
      this.counts.writeBacksAvoided++;
      return this.#drop(page);
    }
    const bytes = this.#readNow(page);
    if (bytes) return this.#sentOut(page, bytes);
    return this.#mark(
      page,
      page.tensor!.bytes().then((copy) => this.#sentOut(page, copy)),
    );
  }

  #sentOut(page: Page<unknown>, bytes: Uint8Array): undefined {
    this.#saved(page, bytes);
    this.#drop(page);
  }

  #saved(page: Page<unknown>, bytes: Uint8Array): void {
    this.#host.save(page.index, bytes);
    page.dirty = false;
    this.counts.pagesOut++;
    this.counts.bytesOut += bytes.byteLength;
  }

  #readNow(page: Page<unknown>): Uint8Array | undefined {
    return this.#device.readNow?.(page.tensor!.storage.buffer, 0, page.byteLength);
  }

  #drop(page: Page<unknown>): undefined {
    page.tensor?.dispose();
    page.tensor = null;
    page.dirty = false;
    this.#resident.delete(page);
    this.deviceBytes -= page.byteLength;
  }

  /** Notes that a page is on its way. Whoever needs it hears of an error; nobody else does. */
  #mark(page: Page<unknown>, moving: Promise<void>): Promise<void> {
    const marked = moving.finally(() => {
      page.moving = null;
    });
    marked.catch(() => {});
    page.moving = marked;
    return marked;
  }
}
