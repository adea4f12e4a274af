/** Two neighbouring symbols, how often they occur, and in which words. */
export interface Pair {
  readonly left: number;
  readonly right: number;
  count: number;
  /** Numbers of words that may hold it; some hold it no more, some are listed twice. */
  words: number[];
}

interface Entry {
  readonly pair: Pair;
  /** Its count when it was put in. */
  readonly count: number;
}

/** The more frequent pair first; of equally frequent ones the one with smaller ids, left then right. */
function comesBefore(a: Entry, b: Entry): boolean {
  if (a.count !== b.count) return a.count > b.count;
  return a.pair.left - b.pair.left < 0 || (a.pair.left === b.pair.left && a.pair.right < b.pair.right);
}

/**
 * Pairs by how often they occur: a binary heap. A count that has changed since is noticed when the pair comes up, so a pair
 * that has become rarer need not be found again; one that has become more frequent must be pushed again.
 */
export class PairQueue {
  readonly #heap: Entry[] = [];

  push(pair: Pair): void {
    const heap = this.#heap;
    const entry = { pair, count: pair.count };
    let at = heap.length;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!comesBefore(entry, heap[parent]!)) break;
      heap[at] = heap[parent]!;
      at = parent;
    }
    heap[at] = entry;
  }

  /** Takes the first pair out, or tells that there is none of `least` or more. */
  pop(least: number): Pair | undefined {
    for (let top = this.#heap[0]; top && top.count >= least; top = this.#heap[0]) {
      this.#removeTop();
      if (top.count === top.pair.count) return top.pair;
      if (top.pair.count >= least) this.push(top.pair);
    }
    return undefined;
  }

  #removeTop(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && comesBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!comesBefore(heap[child]!, last)) break;
      heap[at] = heap[child]!;
      at = child;
    }
    heap[at] = last;
  }
}
