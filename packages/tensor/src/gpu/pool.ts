import type { GpuStorage } from './backend.js';

/** At most this share of what is in use is kept for reuse beside it, and never less than `KEPT_ELEMENTS`. */
const KEPT_SHARE = 0.5;
const KEPT_ELEMENTS = 16 << 20;

/** What a backend holds: storages by size, so that the next step of a training loop finds those of the last. */
export class StoragePool<S extends GpuStorage> {
  readonly #create: (capacity: number) => S;
  readonly #destroy: (storage: S) => void;
  readonly #free = new Map<number, S[]>();
  #used = 0;
  #kept = 0;

  constructor(create: (capacity: number) => S, destroy: (storage: S) => void) {
    this.#create = create;
    this.#destroy = destroy;
  }

  take(capacity: number): S {
    this.#used += capacity;
    const found = this.#free.get(capacity)?.pop();
    if (!found) return this.#create(capacity);
    this.#kept -= capacity;
    return found;
  }

  give(storage: S): void {
    this.#used -= storage.capacity;
    if (this.#kept + storage.capacity > Math.max(KEPT_ELEMENTS, this.#used * KEPT_SHARE)) this.trim();
    const same = this.#free.get(storage.capacity);
    if (same) same.push(storage);
    else this.#free.set(storage.capacity, [storage]);
    this.#kept += storage.capacity;
  }

  trim(): void {
    for (const storages of this.#free.values()) for (const storage of storages) this.#destroy(storage);
    this.#free.clear();
    this.#kept = 0;
  }
}

/** Rounds up so that lengths that differ by little share a size: to a 16th of the next smaller power of two. */
export function sizeClass(length: number): number {
  const step = 2 ** Math.max(6, Math.floor(Math.log2(Math.max(1, length))) - 4);
  return Math.max(step, Math.ceil(length / step) * step);
}
