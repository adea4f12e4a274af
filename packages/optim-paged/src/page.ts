import type { Tensor } from '@burin/tensor';

/** A run of one parameter whose state lies on one page. In elements. */
export interface Piece<E> {
  readonly entry: E;
  readonly offset: number; // into the parameter
  readonly start: number; // into each state of the page
  readonly size: number;
}

/**
 * The state of a run of the flattened parameters. State k of the page's element i is number `k · stride + i` of it: first all
 * running means, then all mean squares.
 */
export class Page<E> {
  readonly index: number;
  readonly pieces: readonly Piece<E>[];
  readonly stride: number; // elements from one state to the next: a multiple of 4
  readonly byteLength: number;
  /** Its memory on the device; null where it is on the host only. */
  tensor: Tensor | null = null;
  /** The device's copy is newer than the host's. */
  dirty = false;
  /** A step is working on it: it stays. */
  pinned = false;
  /** Ends when the page has come or gone, where that takes time. */
  moving: Promise<void> | null = null;

  constructor(index: number, pieces: readonly Piece<E>[], states: number) {
    const elements = pieces.reduce((sum, piece) => sum + piece.size, 0);
    this.index = index;
    this.pieces = pieces;
    this.stride = Math.ceil(elements / 4) * 4;
    this.byteLength = states * this.stride * 4;
  }

  /** Element of the page at which each state of a piece starts. */
  stateOffsets({ start }: Piece<E>, states: number): number[] {
    return Array.from({ length: states }, (_, k) => k * this.stride + start);
  }
}

/**
 * Lays parameters end to end and cuts them into pages of `capacity` elements: a large one spans several pages, small ones
 * share one. The last page is as long as it needs to be.
 *
 * @param firstIndex - the index of the first page
 * @param states - states kept for each element
 */
export function layOut<E extends { parameter: Tensor }>(
  entries: readonly E[],
  { firstIndex, capacity, states }: { firstIndex: number; capacity: number; states: number },
): Page<E>[] {
  const pages: Page<E>[] = [];
  let pieces: Piece<E>[] = [];
  let used = 0;
  const close = () => {
    if (pieces.length > 0) pages.push(new Page(firstIndex + pages.length, pieces, states));
    pieces = [];
    used = 0;
  };
  for (const entry of entries) {
    for (let offset = 0; offset < entry.parameter.size; ) {
      const size = Math.min(capacity - used, entry.parameter.size - offset);
      pieces.push({ entry, offset, start: used, size });
      offset += size;
      used += size;
      if (used === capacity) close();
    }
  }
  close();
  return pages;
}
