import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Allocator, BLOCK_ALIGNMENT, type Block, blockPointer } from '../src/cpu/allocator.js';

const PAGE = 65536;

function allocatorOf({ pages = 1, base = 1000, maximumPages = 400 } = {}) {
  const memory = new WebAssembly.Memory({ initial: pages, maximum: maximumPages });
  return { memory, allocator: new Allocator(memory, base, maximumPages) };
}

/** Blocks follow each other without gap or overlap, no two neighbours are free, and the whole memory is theirs. */
function expectWhole(allocator: Allocator, memory: WebAssembly.Memory, base: number): void {
  const blocks = [...allocator.blocks()];
  let end = Math.ceil(base / BLOCK_ALIGNMENT);
  let freeBefore = false;
  for (const block of blocks) {
    expect(block.start).toBe(end);
    expect(block.size).toBeGreaterThan(0);
    expect(freeBefore && block.free, 'two free neighbours').toBe(false);
    end += block.size;
    freeBefore = block.free;
  }
  expect(end * BLOCK_ALIGNMENT).toBe(memory.buffer.byteLength);
}

// small and large, and just around the edges of size classes
const sizes = fc.oneof(
  fc.integer({ min: 0, max: 5000 }),
  fc.integer({ min: 0, max: 3_000_000 }),
  fc.tuple(fc.integer({ min: 6, max: 20 }), fc.integer({ min: -65, max: 65 })).map(([p, d]) => Math.max(0, 2 ** p + d)),
);
const steps = fc.array(fc.record({ size: sizes, release: fc.boolean(), pick: fc.nat() }), { maxLength: 120 });

describe('Allocator', () => {
  it('gives blocks that are large enough, aligned, and apart; all comes back as one free block', () => {
    fc.assert(
      fc.property(steps, (script) => {
        const { memory, allocator } = allocatorOf();
        const live: Block[] = [];
        for (const { size, release, pick } of script) {
          if (release && live.length > 0) {
            allocator.release(live.splice(pick % live.length, 1)[0]!);
          } else {
            const block = allocator.allocate(size);
            if (block === null) continue; // the memory is full
            expect(blockPointer(block) % 64).toBe(0);
            expect(block.size * BLOCK_ALIGNMENT).toBeGreaterThanOrEqual(Math.max(1, size));
            live.push(block);
          }
          expectWhole(allocator, memory, 1000);
        }
        expect([...allocator.blocks()].filter((block) => !block.free).length).toBe(live.length);
        for (const block of live) allocator.release(block);
        const [only, ...others] = [...allocator.blocks()];
        expect(others).toEqual([]);
        expect(only).toMatchObject({ free: true, start: 16 });
      }),
      { seed: 1, numRuns: 60 },
    );
  });

  it('takes a free block that fits before it grows the memory', () => {
    const { memory, allocator } = allocatorOf();
    const first = allocator.allocate(10_000)!;
    allocator.allocate(10_000);
    const pages = memory.buffer.byteLength / PAGE;
    allocator.release(first);
    expect(allocator.allocate(10_000)).toBe(first);
    expect(memory.buffer.byteLength / PAGE).toBe(pages);
  });

  it('does not take a block back twice', () => {
    const { allocator } = allocatorOf();
    const block = allocator.allocate(100)!;
    allocator.release(block);
    expect(() => allocator.release(block)).toThrow('Allocator: the block at 1024 was given back before');
  });

  it('gives null for more than there can be, however the size ends in 32 bits', () => {
    const { allocator } = allocatorOf();
    for (const size of [2 ** 32 + 64, 2 ** 38, 2 ** 38 + 64 * 1000, 2 ** 45 + 64 * 100]) {
      expect(allocator.allocate(size), `${size}`).toBeNull();
    }
  });

  it('uses the last page it may have, and then gives null', () => {
    const { memory, allocator } = allocatorOf({ base: 64, maximumPages: 100 });
    expect(allocator.allocate(100 * PAGE)).toBeNull(); // the first 64 bytes are not its own
    const block = allocator.allocate(100 * PAGE - 64);
    expect(block).not.toBeNull();
    expect(memory.buffer.byteLength).toBe(100 * PAGE);
    expect(allocator.allocate(1)).toBeNull();
    allocator.release(block!);
    expect(allocator.allocate(100 * PAGE - 64)).not.toBeNull();
  });
});
