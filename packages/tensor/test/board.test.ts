import { afterEach, describe, expect, it, vi } from 'vitest';
import { Board, type Job, WorkerLost } from '../src/cpu/board.js';
import { FINISHED, REMAINING } from '../src/cpu/board-layout.js';

/** A job of two slices, the second of which a worker takes. */
function halfTaken(words: Int32Array, unitCost = 1e9): Job {
  const run = () => {
    if (Atomics.load(words, REMAINING) > 0) Atomics.sub(words, REMAINING, 1);
  };
  return { run, kernel: 0, args: [], units: 2, unitCost, scratch: 0, scratchStride: 0 };
}

/** Lets time pass while the calling thread sleeps: `sleep` says how many milliseconds. */
function pass(sleep: () => number): void {
  let now = 0;
  vi.spyOn(performance, 'now').mockImplementation(() => {
    now += 1;
    return now;
  });
  vi.spyOn(Atomics, 'wait').mockImplementation(() => {
    now += sleep();
    return 'timed-out';
  });
}

describe('a worker that took a slice', () => {
  afterEach(() => void vi.restoreAllMocks());

  it('is given up after a minute of waiting', () => {
    const board = new Board();
    pass(() => 1000);
    const job = halfTaken(new Int32Array(board.control), 1e6);
    expect(() => board.share(job, 2, 0)).toThrow(WorkerLost);
    expect(() => board.share(job, 2, 0)).toThrow(/stopped in the middle of a kernel; waited 6[01] s for it$/);
  });

  it('is given ten times as long as the job may take', () => {
    const board = new Board();
    pass(() => 1000);
    const minutes = halfTaken(new Int32Array(board.control), 100e9);
    expect(() => board.share(minutes, 2, 0)).toThrow(/waited 206[01] s for it$/);
  });

  it('has its time though the process was stopped for hours', () => {
    const board = new Board();
    const words = new Int32Array(board.control);
    let sleeps = 0;
    pass(() => {
      sleeps += 1;
      if (sleeps === 3) Atomics.add(words, FINISHED, 1);
      return 1e7;
    });
    expect(() => board.share(halfTaken(words), 2, 0)).not.toThrow();
    expect(sleeps).toBe(3);
  });
});
