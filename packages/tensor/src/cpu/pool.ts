import type { Blas } from './blas.node.js';
import { Board, type Job, WorkerLost } from './board.js';
import { writeText } from './shared-text.js';
import { startWorker, type WorkerHandle } from './workers.js';

// nanoseconds of one thread's work. Measured with two threads: a worker that looks for work pays from 7 µs on, one that
// must be woken from 16 to 20 µs on, in kernels of every group
const LEAST_FOR_AWAKE = 10_000;
const LEAST_FOR_PARKED = 40_000;
/** Work that could have been shared before workers are started: about what it costs to start one. */
const LEAST_FOR_START = 10_000_000;

/** What is known of the workers; apart from the pool, so that their events do not hold it. */
interface Crew {
  readonly workers: WorkerHandle[];
  failure: string | null;
}

/**
 * Worker threads over one WebAssembly memory. They are started when for the first time there is enough to do, and take
 * part as soon as they are ready: nothing ever waits for a worker that has taken no slice.
 */
export class WorkerPool {
  readonly threads: number; // with the calling one
  readonly #module: WebAssembly.Module;
  readonly #memory: WebAssembly.Memory;
  readonly #board = new Board();
  readonly #crew: Crew = { workers: [], failure: null };
  #missed = 0; // nanoseconds of work that could have been shared, before the start

  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory, threads: number) {
    this.#module = module;
    this.#memory = memory;
    this.threads = threads;
  }

  /** Why there are no workers, or null. */
  get failure(): string | null {
    return this.#crew.failure;
  }

  /** How many threads are ready, the calling one among them. */
  get ready(): number {
    return 1 + this.#board.ready;
  }

  /** How many workers should share so much work now: 0 where it does not pay, or where they are not ready. */
  helpers(nanoseconds: number): number {
    if (nanoseconds < LEAST_FOR_AWAKE || this.#crew.failure !== null) return 0;
    const { ready } = this.#board;
    if (nanoseconds < LEAST_FOR_PARKED) return Math.min(1, this.#board.awake);
    if (ready === 0) this.#startWhenItPays(nanoseconds);
    return Math.min(ready, Math.floor(nanoseconds / LEAST_FOR_PARKED));
  }

  /** Lets the workers open a BLAS when a kernel first asks them for a product. */
  handOver(blas: Blas): void {
    writeText(this.#board.recipe, blas.recipe);
  }

  /** Works on a job with `helpers` workers. Throws as `Board.share`. */
  share(job: Job, helpers: number): void {
    const isLong = job.units * job.unitCost >= LEAST_FOR_PARKED;
    try {
      this.#board.share(job, 1 + helpers, isLong ? helpers : 0);
    } catch (error) {
      if (error instanceof WorkerLost) stop(this.#crew, 'a worker died');
      throw error;
    }
  }

  /** Stops the workers. The calling thread goes on alone. */
  dispose(): void {
    stop(this.#crew, 'disposed');
  }

  #startWhenItPays(nanoseconds: number): void {
    this.#missed += nanoseconds;
    if (this.#missed < LEAST_FOR_START || this.#crew.workers.length > 0) return;
    const crew = this.#crew;
    abandonedCrews().register(this, crew);
    const { control, job, recipe, reason } = this.#board;
    const shared = { module: this.#module, memory: this.#memory, control, job, recipe, reason };
    try {
      for (let index = 1; index < this.threads; index++) {
        crew.workers.push(startWorker({ ...shared, index }, (reason) => stop(crew, reason)));
      }
    } catch (error) {
      stop(crew, String(error));
    }
  }
}

/** Runs between jobs only, since a job does not return to the event loop: no worker is at work. */
function stop(crew: Crew, reason: string): void {
  crew.failure ??= reason;
  for (const worker of crew.workers.splice(0)) worker.stop();
}

let registry: FinalizationRegistry<Crew> | null = null;

/** Stops the workers of pools that nobody holds any more. */
function abandonedCrews(): FinalizationRegistry<Crew> {
  registry ??= new FinalizationRegistry((crew) => stop(crew, 'abandoned'));
  return registry;
}
