import { MemoryError } from '../memory.js';
import { inWords } from '../memory-books.js';
import { Allocator, BLOCK_ALIGNMENT, type Block, blockPointer } from './allocator.js';
import type { Blas } from './blas.node.js';
import { BlasLink } from './blas-link.js';
import type { RangeKernel } from './board.js';
import type { KernelExports } from './kernels.wasm.js';
import { createMemory, kernelModule } from './module.js';
import { WorkerPool } from './pool.js';
import { defaultSimd, type Simd } from './simd.js';
import { reasonForOneThread } from './workers.js';

export { pointer } from './buffer.js';
export type { KernelExports } from './kernels.wasm.js';

/** Kernels that take a range and then scratch for it. */
type ScratchKernel =
  | 'matmul'
  | 'attention'
  | 'attentionBackward'
  | 'attentionStrips'
  | 'attentionStripsBackward'
  | 'quantize4bit'
  | 'quantize8bit'
  | 'turnTiles';

/** Kernels over a range of independent units: those whose last arguments are `begin` and `end`, then perhaps scratch. */
export type RangeKernelName = {
  [Name in keyof KernelExports]: Parameters<KernelExports[Name]> extends [...(number | boolean)[], number, number]
    ? Name
    : never;
}[keyof KernelExports];

/** What a kernel takes before its range. */
export type KernelArguments<Name extends RangeKernelName> = Name extends ScratchKernel
  ? Parameters<KernelExports[Name]> extends [...infer Leading, number, number, number]
    ? Leading
    : never
  : Parameters<KernelExports[Name]> extends [...infer Leading, number, number]
    ? Leading
    : never;

/** What is known of an engine's threads, the calling one among them. */
export interface EngineThreads {
  /** How many there are, or will be once there is enough to do. */
  readonly count: number;
  /** How many are ready to work now. */
  readonly ready: number;
  /** Why there is only one though more were asked for. */
  readonly limit: string | null;
}

/** The compiled kernels over one WebAssembly memory, the threads that run them, and the scratch that they share. */
export interface Engine {
  readonly exports: KernelExports;
  readonly memory: WebAssembly.Memory;
  readonly allocator: Allocator;
  /** The build that the kernels are of. Between builds, results differ by roundings. */
  readonly simd: Simd;
  /**
   * Runs the units `0 .. units` of a kernel, on as many threads as it pays to wake, and returns when all are done. The
   * result does not depend on how many.
   *
   * @param name - a kernel over a range
   * @param args - what it takes before the range; not to be used again by the caller
   * @param units - independent of each other
   * @param unitCost - nanoseconds that a unit takes one thread, about: see cost.ts; 0 keeps the call on one thread
   * @param scratchBytes - what each thread needs, for kernels that take scratch
   * @throws MemoryError if there is no room for scratch
   * @throws DeviceError if the kernel failed in a worker thread
   */
  run<Name extends RangeKernelName>(
    name: Name,
    args: KernelArguments<Name>,
    units: number,
    unitCost: number,
    scratchBytes?: number,
  ): void;
  /**
   * Pointer to `byteLength` bytes of scratch, a multiple of 64, with whatever the last user left there. Valid until the
   * next call, and until the next kernel that takes scratch. It only grows, and is not counted among a device's live bytes.
   *
   * @throws MemoryError if the WebAssembly memory cannot grow so far
   */
  workspace(byteLength: number): number;
  /** Pointer to `values` as int32 (shapes and strides). Valid until the next call. */
  metadata(values: readonly number[]): number;
  /** From here on kernels on all threads take products by a BLAS from there. */
  connectBlas(blas: Blas): void;
  readonly threads: EngineThreads;
  /** Stops the worker threads; kernels run on the calling thread alone from then on. */
  dispose(): void;
}

const MOST_METADATA = 256; // values: five lists for tensors of up to 51 axes

/**
 * Instantiates the kernels over a new memory, at once: 32-bit WebAssembly may hold up to 4 GiB.
 *
 * @param threads - at most so many, the calling one among them
 * @param simd - the build of the kernels
 */
export function createEngine(threads = 1, simd: Simd = defaultSimd()): Engine {
  const limit = threads > 1 ? reasonForOneThread() : null;
  const shared = threads > 1 && limit === null;
  const { memory, maximumPages } = createMemory(shared);
  const module = kernelModule(simd, shared);
  const blas = new BlasLink(memory);
  const { exports } = new WebAssembly.Instance(module, { env: { memory, sgemm: blas.sgemm } });
  const kernels = exports as unknown as KernelExports;
  const allocator = new Allocator(memory, kernels.heapBase(), maximumPages);
  const pool = shared ? new WorkerPool(module, memory, threads) : null;
  return new WasmEngine(kernels, simd, memory, allocator, pool, blas, limit);
}

class WasmEngine implements Engine {
  readonly exports: KernelExports;
  readonly simd: Simd;
  readonly memory: WebAssembly.Memory;
  readonly allocator: Allocator;
  readonly #pool: WorkerPool | null;
  readonly #blas: BlasLink;
  readonly #limit: string | null;
  readonly #places: ReadonlyMap<string, number>; // of the kernels among the exports, which are in the module's order
  readonly #metadata: number;
  #scratch: Block | null = null;
  #scratchBytes = 0;
  #int32: Int32Array;

  constructor(
    exports: KernelExports,
    simd: Simd,
    memory: WebAssembly.Memory,
    allocator: Allocator,
    pool: WorkerPool | null,
    blas: BlasLink,
    limit: string | null,
  ) {
    this.exports = exports;
    this.simd = simd;
    this.memory = memory;
    this.allocator = allocator;
    this.#pool = pool;
    this.#blas = blas;
    this.#limit = limit;
    this.#places = new Map(Object.keys(exports).map((name, place) => [name, place]));
    this.#metadata = blockPointer(this.#take(MOST_METADATA * 4));
    this.#int32 = new Int32Array(memory.buffer);
  }

  run<Name extends RangeKernelName>(
    name: Name,
    args: KernelArguments<Name>,
    units: number,
    unitCost: number,
    scratchBytes = 0,
  ): void {
    const run = this.exports[name] as RangeKernel;
    const helpers = this.#pool === null || units < 2 ? 0 : this.#pool.helpers(units * unitCost);
    if (this.#pool !== null && helpers > 0) {
      const scratchStride = Math.ceil(scratchBytes / BLOCK_ALIGNMENT) * BLOCK_ALIGNMENT;
      const scratch = scratchBytes > 0 ? this.workspace(scratchStride * this.#pool.threads) : 0;
      const kernel = this.#places.get(name)!;
      this.#pool.share({ run, kernel, args, units, unitCost, scratch, scratchStride }, helpers);
    } else {
      const all = args as (number | boolean)[]; // made for this call: to add to it is faster than to copy it
      if (scratchBytes > 0) all.push(0, units, this.workspace(scratchBytes));
      else all.push(0, units);
      run(...all);
    }
  }

  workspace(byteLength: number): number {
    if (this.#scratch === null || byteLength > this.#scratchBytes) {
      if (this.#scratch) this.allocator.release(this.#scratch);
      this.#scratch = null; // stays so if there is no room for a larger one
      this.#scratch = this.#take(byteLength);
      this.#scratchBytes = byteLength;
    }
    return blockPointer(this.#scratch);
  }

  metadata(values: readonly number[]): number {
    if (values.length > MOST_METADATA) {
      throw new RangeError(`cpu: a kernel takes at most ${MOST_METADATA} sizes and strides, got ${values.length}`);
    }
    // a view is detached, with length 0, once the memory has grown; one of a shared memory goes on to see its beginning
    if (this.#int32.length === 0) this.#int32 = new Int32Array(this.memory.buffer);
    this.#int32.set(values, this.#metadata / 4);
    return this.#metadata;
  }

  connectBlas(blas: Blas): void {
    if (this.#blas.connect(blas)) this.#pool?.handOver(blas);
  }

  get threads(): EngineThreads {
    if (this.#pool === null) return { count: 1, ready: 1, limit: this.#limit };
    const { failure, threads, ready } = this.#pool;
    return failure === null ? { count: threads, ready, limit: null } : { count: 1, ready: 1, limit: failure };
  }

  dispose(): void {
    this.#pool?.dispose();
  }

  #take(byteLength: number): Block {
    const block = this.allocator.allocate(byteLength);
    if (block) return block;
    throw new MemoryError(
      `cpu: no room for ${inWords(byteLength)} of scratch in WebAssembly memory, ${this.allocator.describe()}; ` +
        'free tensors or make batches smaller',
    );
  }
}
