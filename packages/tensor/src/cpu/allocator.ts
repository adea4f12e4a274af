import { inWords } from '../memory-books.js';

/** The grain of the allocator: every block starts and ends at a multiple of it. A cache line. */
export const BLOCK_ALIGNMENT = 64;

const PAGE = 65536; // bytes in a page of WebAssembly memory
const SUBDIVISIONS_LOG2 = 4; // each power of two is cut in 16 classes: a search wastes 1/16 at most
const SUBDIVISIONS = 1 << SUBDIVISIONS_LOG2;
const LEVELS = 27 - SUBDIVISIONS_LOG2 + 1; // sizes up to 2²⁶ grains of 64 bytes, that is 4 GiB
const MOST_GRAINS = 2 ** 26;
const TRIES = 8; // blocks of the same class that are looked at, so that a search stays short
const SMALLEST_GROWTH = 4 * 2 ** 20; // bytes

/** A piece of the heap. Offsets and sizes are in grains, so that they stay 32-bit integers up to 4 GiB. */
export interface Block {
  readonly start: number;
  size: number;
  free: boolean;
  before: Block | null; // the neighbours in memory
  after: Block | null;
  previousFree: Block | null; // the neighbours in the list of its size class, if free
  nextFree: Block | null;
}

/** Byte address of a block. Up to 4 GiB: a plain number, not a 32-bit integer. */
export function blockPointer(block: Block): number {
  return block.start * BLOCK_ALIGNMENT;
}

/**
 * Hands out pieces of a WebAssembly memory: a two-level segregated fit (Masmano et al. 2004,
 * https://doi.org/10.1109/EMRTS.2004.1311009). Taking and giving back take constant time; neighbours that are both free
 * become one at once. The books are kept outside the memory, where no kernel can overwrite them.
 */
export class Allocator {
  readonly #memory: WebAssembly.Memory;
  readonly #maximumPages: number;
  readonly #bins: (Block | null)[] = new Array<Block | null>(LEVELS * SUBDIVISIONS).fill(null);
  readonly #filledClasses = new Int32Array(LEVELS); // bit s: class s of this level has a free block
  #filledLevels = 0; // bit l: level l has a free block
  #first: Block | null = null;
  #last: Block | null = null;
  #end: number; // in grains: how far the heap reaches

  /**
   * @param memory - grown as needed
   * @param base - the first byte that may be used
   * @param maximumPages - never grow beyond this many pages of 64 KiB
   */
  constructor(memory: WebAssembly.Memory, base: number, maximumPages: number) {
    this.#memory = memory;
    this.#maximumPages = maximumPages;
    this.#end = Math.ceil(base / BLOCK_ALIGNMENT);
    this.#append(memory.buffer.byteLength / BLOCK_ALIGNMENT - this.#end);
  }

  /** A block of at least `byteLength` bytes (one grain for 0), or null where the memory cannot grow so far. */
  allocate(byteLength: number): Block | null {
    const size = Math.max(1, Math.ceil(byteLength / BLOCK_ALIGNMENT));
    if (size > MOST_GRAINS) return null; // size classes go by 32 bits
    let block = this.#find(size);
    if (block === null) {
      if (!this.#grow(size)) return null;
      block = this.#find(size) ?? this.#lastIfFree(size);
      if (block === null) return null;
    }
    this.#unlink(block);
    block.free = false;
    this.#splitOff(block, size);
    return block;
  }

  /** @throws Error if the block is free already */
  release(block: Block): void {
    if (block.free) throw new Error(`Allocator: the block at ${blockPointer(block)} was given back before`);
    block.free = true;
    this.#settle(block);
  }

  /** How large the memory is and may become: a machine may refuse to let it grow so far. */
  describe(): string {
    return `which has grown to ${inWords(this.#memory.buffer.byteLength)} of at most ${inWords(this.#maximumPages * PAGE)}`;
  }

  /** All blocks in the order of their addresses, for tests and reports. */
  *blocks(): Generator<Readonly<Block>> {
    for (let block = this.#first; block !== null; block = block.after) yield block;
  }

  /** Joins a free block that is in no list yet with its free neighbours, and lists the whole. */
  #settle(block: Block): void {
    let whole = block;
    if (whole.before?.free) {
      this.#unlink(whole.before);
      whole = this.#join(whole.before, whole);
    }
    if (whole.after?.free) {
      this.#unlink(whole.after);
      whole = this.#join(whole, whole.after);
    }
    this.#link(whole);
  }

  #join(left: Block, right: Block): Block {
    left.size += right.size;
    left.after = right.after;
    if (right.after) right.after.before = left;
    else this.#last = left;
    return left;
  }

  /** Gives what `block` has beyond `size` back to the lists. */
  #splitOff(block: Block, size: number): void {
    const extra = block.size - size;
    if (extra === 0) return;
    const rest = newBlock(block.start + size, extra, block, block.after);
    if (block.after) block.after.before = rest;
    else this.#last = rest;
    block.after = rest;
    block.size = size;
    this.#link(rest);
  }

  /**
   * A free block of at least `size`. First a few of its own class: a program that asks for the same sizes again and
   * again should get the same blocks. Then any of the smallest class all of whose blocks are large enough.
   */
  #find(size: number): Block | null {
    let candidate: Block | null = this.#bins[binOf(size)]!;
    for (let tries = 0; candidate && tries < TRIES; tries++, candidate = candidate.nextFree) {
      if (candidate.size >= size) return candidate;
    }
    const rounded = size < SUBDIVISIONS ? size : size + (1 << (log2(size) - SUBDIVISIONS_LOG2)) - 1;
    const bin = binOf(rounded);
    let level = bin >>> SUBDIVISIONS_LOG2;
    let classes = this.#filledClasses[level]! & (-1 << (bin & (SUBDIVISIONS - 1)));
    if (classes === 0) {
      const levels = this.#filledLevels & (-1 << (level + 1));
      if (levels === 0) return null;
      level = lowestBit(levels);
      classes = this.#filledClasses[level]!;
    }
    return this.#bins[level * SUBDIVISIONS + lowestBit(classes)]!;
  }

  /** The last block can be large enough though its class also holds smaller ones, so that `find` passes it over. */
  #lastIfFree(size: number): Block | null {
    return this.#last?.free && this.#last.size >= size ? this.#last : null;
  }

  #link(block: Block): void {
    const bin = binOf(block.size);
    const head = this.#bins[bin]!;
    block.previousFree = null;
    block.nextFree = head;
    if (head) head.previousFree = block;
    this.#bins[bin] = block;
    this.#filledClasses[bin >>> SUBDIVISIONS_LOG2]! |= 1 << (bin & (SUBDIVISIONS - 1));
    this.#filledLevels |= 1 << (bin >>> SUBDIVISIONS_LOG2);
  }

  #unlink(block: Block): void {
    const bin = binOf(block.size);
    if (block.previousFree) block.previousFree.nextFree = block.nextFree;
    else this.#bins[bin] = block.nextFree;
    if (block.nextFree) block.nextFree.previousFree = block.previousFree;
    block.previousFree = null;
    block.nextFree = null;
    if (this.#bins[bin]) return;
    const level = bin >>> SUBDIVISIONS_LOG2;
    this.#filledClasses[level]! &= ~(1 << (bin & (SUBDIVISIONS - 1)));
    if (this.#filledClasses[level] === 0) this.#filledLevels &= ~(1 << level);
  }

  /** Grows the memory so that its last block is free and holds `size` grains; by a quarter at least, where it can. */
  #grow(size: number): boolean {
    const missing = size - (this.#last?.free ? this.#last.size : 0);
    const pages = this.#memory.buffer.byteLength / PAGE;
    const needed = Math.ceil((missing * BLOCK_ALIGNMENT) / PAGE);
    const generous = Math.max(needed, Math.ceil(pages / 4), SMALLEST_GROWTH / PAGE);
    for (const step of [Math.min(generous, this.#maximumPages - pages), needed]) {
      if (step < needed || pages + step > this.#maximumPages || !tryToGrow(this.#memory, step)) continue;
      this.#append((step * PAGE) / BLOCK_ALIGNMENT);
      return true;
    }
    return false;
  }

  /** Adds `size` grains of new memory to the heap's end. */
  #append(size: number): void {
    if (size <= 0) return;
    const block = newBlock(this.#end, size, this.#last, null);
    this.#end += size;
    if (this.#last) this.#last.after = block;
    else this.#first = block;
    this.#last = block;
    this.#settle(block);
  }
}

function newBlock(start: number, size: number, before: Block | null, after: Block | null): Block {
  return { start, size, free: true, before, after, previousFree: null, nextFree: null };
}

function tryToGrow(memory: WebAssembly.Memory, pages: number): boolean {
  try {
    memory.grow(pages);
    return true;
  } catch {
    return false;
  }
}

/** The size class of a block: below 16 grains one each, above 16 to a power of two. */
function binOf(size: number): number {
  if (size < SUBDIVISIONS) return size;
  const power = log2(size);
  const level = power - SUBDIVISIONS_LOG2 + 1;
  return level * SUBDIVISIONS + ((size >>> (power - SUBDIVISIONS_LOG2)) & (SUBDIVISIONS - 1));
}

function log2(value: number): number {
  return 31 - Math.clz32(value);
}

function lowestBit(bits: number): number {
  return log2(bits & -bits);
}
