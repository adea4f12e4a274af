import { DeviceError } from '../errors.js';
import {
  ARGUMENT_COUNT,
  ARGUMENTS,
  CONTROL_WORDS,
  FAILED,
  FINISHED,
  GRAIN,
  JOB_NUMBERS,
  KERNEL,
  PARKED,
  READY,
  REMAINING,
  SCRATCH,
  SCRATCH_STRIDE,
  SLICES,
  SPIN_MS,
  THREADS,
  UNITS,
  WAITING,
} from './board-layout.js';
import { readText, sharedText } from './shared-text.js';
import { maySleep } from './workers.js';

/** Nanoseconds of work in a slice: long against the microsecond that taking it costs. */
const SLICE = 4_000;
/** A worker that owns slices and gives no sign of life for so long, and ten times what the job may take, is taken for dead. */
const PATIENCE_MS = 60_000;
/** The longest of its sleeps. No more than that counts as waiting: the process itself may have been stopped, and goes on. */
const SLEEP_MS = 1000;

/** A kernel as WebAssembly exports it: its arguments, then the range, then scratch if it takes any. */
export type RangeKernel = (...args: (number | boolean)[]) => void;

/** One call of a kernel that threads may share. */
export interface Job {
  readonly run: RangeKernel;
  readonly kernel: number; // its place among the module's exports
  readonly args: readonly (number | boolean)[];
  readonly units: number;
  readonly unitCost: number; // nanoseconds that a unit takes one thread, about
  readonly scratch: number; // 0: takes none
  readonly scratchStride: number; // bytes from one thread's to the next one's
}

/** The calling thread's side of the board: see board-layout.ts for the rules. */
export class Board {
  readonly control = new SharedArrayBuffer(CONTROL_WORDS * 4);
  readonly job = new SharedArrayBuffer(JOB_NUMBERS * 8);
  /** How workers open the BLAS. */
  readonly recipe = sharedText();
  /** Why a kernel failed in a worker. */
  readonly reason = sharedText();
  readonly #words = new Int32Array(this.control);
  readonly #numbers = new Float64Array(this.job);
  readonly #maySleep = maySleep();

  /** How many workers have started. */
  get ready(): number {
    return Atomics.load(this.#words, READY);
  }

  /** How many of them look for work. */
  get awake(): number {
    return this.ready - Atomics.load(this.#words, PARKED);
  }

  /**
   * Works on a job together with the workers that are awake, after waking `wake` that are not.
   *
   * @throws what the kernel throws, once no worker is at it any more
   * @throws DeviceError if the kernel failed in a worker
   * @throws WorkerLost if a worker died with slices in its hands
   */
  share(job: Job, threads: number, wake: number): void {
    const slices = this.#post(job, threads);
    if (wake > 0 && Atomics.load(this.#words, PARKED) > 0) Atomics.notify(this.#words, REMAINING, wake);
    try {
      this.#work(job, slices, threads);
    } finally {
      // what nobody has taken counts as done: there is something left only if the kernel failed here
      Atomics.add(this.#words, FINISHED, Atomics.exchange(this.#words, REMAINING, 0));
      this.#waitFor(slices, PATIENCE_MS + (10 * job.units * job.unitCost) / 1e6);
    }
    if (Atomics.load(this.#words, FAILED) === 0) return;
    throw new DeviceError(`cpu: a kernel failed in a worker thread: ${readText(this.reason)}`);
  }

  /** Cuts the job in slices, writes it down, and lets threads take them. */
  #post({ kernel, args, units, unitCost, scratch, scratchStride }: Job, threads: number): number {
    const fine = Math.ceil(units / Math.max(1, Math.floor((units * unitCost) / SLICE)));
    // many small units are elements: slices start at cache lines and whole vectors
    const grain = fine > 64 ? Math.ceil(fine / 64) * 64 : fine;
    const slices = Math.ceil(units / grain);
    const numbers = this.#numbers;
    numbers[KERNEL] = kernel;
    numbers[UNITS] = units;
    numbers[GRAIN] = grain;
    numbers[SLICES] = slices;
    numbers[THREADS] = threads;
    numbers[SCRATCH] = scratch;
    numbers[SCRATCH_STRIDE] = scratchStride;
    numbers[ARGUMENT_COUNT] = args.length;
    for (let i = 0; i < args.length; i++) numbers[ARGUMENTS + i] = Number(args[i]);
    Atomics.store(this.#words, FAILED, 0);
    Atomics.store(this.#words, FINISHED, 0);
    Atomics.store(this.#words, REMAINING, slices);
    return slices;
  }

  /** Takes slices until there are none: large pieces first, since some kernels prepare a piece before they work on it. */
  #work({ run, args, units, scratch }: Job, slices: number, threads: number): void {
    const words = this.#words;
    const grain = this.#numbers[GRAIN]!;
    for (;;) {
      const remaining = Atomics.load(words, REMAINING);
      if (remaining === 0) return;
      const count = Math.max(1, Math.floor(remaining / (2 * threads)));
      if (Atomics.compareExchange(words, REMAINING, remaining, remaining - count) !== remaining) continue;
      const first = slices - remaining;
      const [begin, end] = [first * grain, Math.min(units, (first + count) * grain)];
      try {
        if (scratch > 0) run(...args, begin, end, scratch);
        else run(...args, begin, end);
      } finally {
        Atomics.add(words, FINISHED, count);
      }
    }
  }

  /** Until the workers have finished what they took. */
  #waitFor(slices: number, patience: number): void {
    const words = this.#words;
    let waited = 0;
    let last = performance.now();
    for (let tries = 1; Atomics.load(words, FINISHED) !== slices; tries++) {
      if (tries % 64 !== 0) continue;
      const now = performance.now();
      waited += Math.min(now - last, SLEEP_MS);
      last = now;
      if (waited > patience) throw new WorkerLost(waited);
      if (waited > SPIN_MS && this.#maySleep) this.#sleep(slices);
    }
  }

  /** Until a worker has finished something. */
  #sleep(slices: number): void {
    const words = this.#words;
    Atomics.store(words, WAITING, 1);
    const done = Atomics.load(words, FINISHED);
    if (done !== slices) Atomics.wait(words, FINISHED, done, SLEEP_MS);
    Atomics.store(words, WAITING, 0);
  }
}

/** A worker took slices and never finished them. What it was to write is lost. */
export class WorkerLost extends DeviceError {
  constructor(waited: number) {
    super(`cpu: a worker thread stopped in the middle of a kernel; waited ${Math.round(waited / 1000)} s for it`);
  }
}
