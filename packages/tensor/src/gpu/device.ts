import type { Device, DeviceBuffer } from '../device.js';
import { BYTES } from '../dtype.js';
import { DeviceError } from '../errors.js';
import type { Kernels } from '../kernels/index.js';
import type { Backend, BackendName } from './backend.js';
import { type GpuBuffer, gpuBuffer } from './buffer.js';
import { bytesOf, bytesOfTriples, floatsOf } from './host-bytes.js';
import { Launcher } from './launcher.js';
import { GpuMemory } from './memory.js';
import { kernelTable } from './table.js';
import { unpackTriples } from './triples.js';

/**
 * A GPU through gpu.js. Made by `await gpu()`. Every kernel runs there and leaves its result there; work is enqueued
 * without waiting, and only reading waits.
 */
export class GpuDevice implements Device {
  readonly name = 'gpu';
  readonly memory: GpuMemory;
  readonly kernels: Kernels;
  readonly #backend: Backend;
  readonly #launcher: Launcher;

  readonly #closed: () => void;

  /** @param closed - told when the device is disposed of */
  constructor(backend: Backend, closed: () => void = () => {}) {
    this.#backend = backend;
    this.#closed = closed;
    this.memory = new GpuMemory(backend);
    this.#launcher = new Launcher(backend);
    this.kernels = kernelTable(this.#launcher, this.memory);
  }

  /** What gpu.js runs on here. */
  get backend(): BackendName {
    return this.#backend.name;
  }

  /** Why the system has taken the device away, with all that was on it; null while it is there. */
  get lost(): string | null {
    return this.#backend.lost;
  }

  /** Kernels compiled since the device was opened: no more once each operation has run, whatever the sizes. */
  get compiledKernels(): number {
    return this.#launcher.compiledKernels;
  }

  /** Kernels launched since the device was opened. */
  get launches(): number {
    return this.#launcher.launches;
  }

  /** @throws DtypeError if an int32 is beyond 2^24: the GPU holds float32 only */
  write(buffer: DeviceBuffer, bytes: Uint8Array, byteOffset = 0): void {
    const target = gpuBuffer(buffer);
    const [index, values] = [this.#elements('write', target, byteOffset, bytes.length), floatsOf(target.dtype, bytes)];
    if (target.format === 'triples') unpackTriples(this.#launcher, this.memory, target);
    if (this.#backend.writesParts || values.length === target.length) {
      this.#backend.write(target.storage, index, values);
      return;
    }
    this.#launcher.withScratch(values.length, (patch) => {
      this.#backend.write(patch.storage, 0, values);
      this.#launcher.splice(target, index, patch.storage, 0, values.length);
    });
  }

  async read(
    buffer: DeviceBuffer,
    byteOffset = 0,
    byteLength: number = buffer.byteLength - byteOffset,
  ): Promise<Uint8Array> {
    const source = gpuBuffer(buffer);
    const index = this.#elements('read', source, byteOffset, byteLength);
    if (source.format === 'triples') {
      const values = await this.#backend.read(source.storage, 0, source.floats);
      return bytesOfTriples(values, source.byteLength).slice(byteOffset, byteOffset + byteLength);
    }
    const values = await this.#backend.read(source.storage, index, Math.ceil(byteLength / BYTES[source.dtype]));
    return bytesOf(source.dtype, values).slice();
  }

  /** For example `gpu (WebGPU through gpu.js: NVIDIA H100)`. */
  describe(): string {
    const names = { webgpu: 'WebGPU', webgl2: 'WebGL 2', headlessgl: 'headless GL' };
    return `gpu (${names[this.backend]} through gpu.js: ${this.#backend.description})`;
  }

  /** Gives everything back to the driver. Tensors on the device are gone. */
  dispose(): void {
    this.#closed();
    this.#backend.dispose();
  }

  /** The first element of a range of bytes. */
  #elements(what: string, { byteLength, dtype }: GpuBuffer, byteOffset: number, bytes: number): number {
    if (byteOffset < 0 || bytes < 0 || byteOffset + bytes > byteLength) {
      throw new RangeError(
        `gpu: ${what} must stay inside the buffer: expected at most ${byteLength} bytes, ` +
          `got bytes ${byteOffset} to ${byteOffset + bytes}`,
      );
    }
    if (byteOffset % BYTES[dtype] !== 0 || (bytes % BYTES[dtype] !== 0 && byteOffset + bytes < byteLength)) {
      throw new DeviceError(
        `gpu: ${what} must begin and end between elements of ${dtype}, got ${bytes} bytes at ${byteOffset}`,
      );
    }
    return byteOffset / BYTES[dtype];
  }
}
