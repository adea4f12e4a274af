import { checkOptions } from '../check-options.js';
import type { Device, DeviceBuffer } from '../device.js';
import { giveTurn, isTurnDue } from '../event-loop.js';
import type { Kernels } from '../kernels/index.js';
import type { DeviceMemory } from '../memory.js';
import { type BlasSource, blasSource } from './blas.js';
import { createEngine, type Engine, pointer } from './engine.js';
import { cpuMemory } from './memory.js';
import { checkSimd, defaultSimd, type Simd } from './simd.js';
import { kernelTable } from './table.js';
import { checkThreads, defaultThreads } from './workers.js';

/** How many threads, which BLAS, which build of the kernels. */
export interface CpuOptions {
  /** How many threads at most, the calling one among them. Default: one a processor, or what BURIN_THREADS says. */
  readonly threads?: number;
  /**
   * The system's BLAS for large products (Node, with the package koffi): `auto` takes one that is there, `off` none, and
   * a path or a file's name that one. Default: the environment's `BURIN_BLAS`, or `auto`.
   */
  readonly blas?: string;
  /**
   * The build of the kernels. Default: what BURIN_SIMD says, or `relaxed` where the engine has relaxed SIMD. Results of the
   * two differ by roundings.
   */
  readonly simd?: Simd;
}

/**
 * The default device: WebAssembly SIMD kernels over one memory of up to 4 GiB, on as many threads as it pays to wake.
 * Works in Node and in browsers; with one thread where memory cannot be shared. Results do not depend on the threads.
 */
export class CpuDevice implements Device {
  readonly name = 'cpu';
  readonly memory: DeviceMemory;
  readonly kernels: Kernels;
  /** @internal What the kernels run on, for tests. Left out of the published types, which then name no WebAssembly. */
  readonly engine: Engine;
  readonly #blas: BlasSource;

  /**
   * @throws RangeError if `threads` is no whole number of 1 or more, `simd` is neither build, or an option does not exist
   * @throws DeviceError if a BLAS is named and cannot be had, or if `simd` is `relaxed` and the engine has no relaxed SIMD
   */
  constructor(options: CpuOptions = {}) {
    checkOptions('cpu', options, ['threads', 'blas', 'simd']);
    const { threads, blas, simd } = options;
    this.engine = createEngine(
      threads === undefined ? defaultThreads() : checkThreads('threads', threads),
      simd === undefined ? defaultSimd() : checkSimd('simd', simd),
    );
    this.memory = cpuMemory(this.engine.allocator);
    this.#blas = blasSource(blas);
    this.kernels = kernelTable(this.engine, this.#blas);
  }

  write(buffer: DeviceBuffer, bytes: Uint8Array, byteOffset = 0): void {
    checkRange('write', buffer, byteOffset, bytes.length);
    new Uint8Array(this.engine.memory.buffer, pointer(buffer) + byteOffset, bytes.length).set(bytes);
  }

  async read(buffer: DeviceBuffer, byteOffset?: number, byteLength?: number): Promise<Uint8Array> {
    const bytes = this.readNow(buffer, byteOffset, byteLength); // before anything else runs, which may write there
    if (isTurnDue()) await giveTurn();
    return bytes;
  }

  readNow(buffer: DeviceBuffer, byteOffset = 0, byteLength: number = buffer.byteLength - byteOffset): Uint8Array {
    checkRange('read', buffer, byteOffset, byteLength);
    return new Uint8Array(this.engine.memory.buffer, pointer(buffer) + byteOffset, byteLength).slice();
  }

  /** Stops the worker threads. Tensors stay, and kernels run on the calling thread alone. */
  dispose(): void {
    this.engine.dispose();
  }

  /**
   * For example `cpu (WebAssembly relaxed SIMD, 2 threads; large products: OpenBLAS)`; says why where there is one thread
   * though there could be more.
   */
  describe(): string {
    const { count, limit } = this.engine.threads;
    const blas = this.#blas.get();
    const simd = this.engine.simd === 'relaxed' ? 'relaxed SIMD' : 'SIMD';
    const threads = `${count} thread${count === 1 ? '' : 's'}${limit === null ? '' : `: ${limit}`}`;
    return `cpu (WebAssembly ${simd}, ${threads}${blas ? `; large products: ${blas.name}` : ''})`;
  }
}

function checkRange(what: string, buffer: DeviceBuffer, byteOffset: number, byteLength: number): void {
  if (byteOffset >= 0 && byteLength >= 0 && byteOffset + byteLength <= buffer.byteLength) return;
  throw new RangeError(
    `cpu: ${what} must stay inside the buffer: expected at most ${buffer.byteLength} bytes, ` +
      `got bytes ${byteOffset} to ${byteOffset + byteLength}`,
  );
}
