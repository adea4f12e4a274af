import { DeviceError } from '../errors.js';
import { MemoryError } from '../memory.js';
import { Allocator, type Block, blockPointer } from './allocator.js';
import { type KernelExports, kernelsWasm } from './kernels.wasm.js';

export { pointer } from './buffer.js';
export type { KernelExports } from './kernels.wasm.js';

/** The compiled kernels over one WebAssembly memory, and the scratch space that their callers share. */
export interface Engine {
  readonly exports: KernelExports;
  readonly memory: WebAssembly.Memory;
  readonly allocator: Allocator;
  /**
   * Pointer to `byteLength` bytes of scratch, a multiple of 64, with whatever the last user left there. Valid until the
   * next call. It only grows, and is not counted among a device's live bytes.
   *
   * @throws MemoryError if the WebAssembly memory cannot grow so far
   */
  workspace(byteLength: number): number;
  /** Pointer to `values` as int32 (shapes and strides). Valid until the next call. */
  metadata(values: readonly number[]): number;
}

const MOST_METADATA = 256; // values: five lists for tensors of up to 51 axes

/** Instantiates the kernels over a new memory, at once: 32-bit WebAssembly may hold up to 4 GiB. */
export function createEngine(): Engine {
  const { memory, maximumPages } = createMemory();
  const instance = new WebAssembly.Instance(compiledModule(), { env: { memory } });
  const exports = instance.exports as unknown as KernelExports;
  const allocator = new Allocator(memory, exports.heapBase(), maximumPages);
  return new WasmEngine(exports, memory, allocator);
}

class WasmEngine implements Engine {
  readonly exports: KernelExports;
  readonly memory: WebAssembly.Memory;
  readonly allocator: Allocator;
  readonly #metadata: number;
  #scratch: Block | null = null;
  #scratchBytes = 0;
  #int32: Int32Array;

  constructor(exports: KernelExports, memory: WebAssembly.Memory, allocator: Allocator) {
    this.exports = exports;
    this.memory = memory;
    this.allocator = allocator;
    this.#metadata = blockPointer(this.#take(MOST_METADATA * 4));
    this.#int32 = new Int32Array(memory.buffer);
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
    // a view is detached, with length 0, once the memory has grown
    if (this.#int32.length === 0) this.#int32 = new Int32Array(this.memory.buffer);
    this.#int32.set(values, this.#metadata / 4);
    return this.#metadata;
  }

  #take(byteLength: number): Block {
    const block = this.allocator.allocate(byteLength);
    if (block) return block;
    throw new MemoryError(
      `cpu: no room for ${byteLength} bytes of scratch: WebAssembly memory ends at 4 GiB; free tensors or make batches smaller`,
    );
  }
}

let compiled: WebAssembly.Module | null = null;

/** Compiled once in a process, when a device is first made. */
function compiledModule(): WebAssembly.Module {
  if (compiled) return compiled;
  const bytes = Uint8Array.from(atob(kernelsWasm), (character) => character.charCodeAt(0));
  if (!WebAssembly.validate(bytes)) {
    throw new DeviceError('cpu: this engine has no WebAssembly SIMD; use Node 20.19 or later, or a current browser');
  }
  compiled = new WebAssembly.Module(bytes);
  return compiled;
}

/** A memory that can grow to 4 GiB, or as far as this machine lets one reserve addresses. */
function createMemory(): { memory: WebAssembly.Memory; maximumPages: number } {
  for (const maximumPages of [65536, 32768, 16384]) {
    try {
      return { memory: new WebAssembly.Memory({ initial: 64, maximum: maximumPages }), maximumPages };
    } catch {
      // try for less
    }
  }
  throw new MemoryError('cpu: this machine gives no address space for 1 GiB of WebAssembly memory');
}
