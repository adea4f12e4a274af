import { DeviceError } from '../errors.js';
import type { GpuKernel } from './kernel.js';

/** What gpu.js runs on: WebGPU, WebGL 2 in a browser, or headless GL in Node. */
export type BackendName = 'webgpu' | 'webgl2' | 'headlessgl';

/** A flat array of float32 in GPU memory. `capacity` elements may be read and written. */
export interface GpuStorage {
  readonly capacity: number;
}

/** Lengths of three axes, the fastest first: element (x, y, z) lies at `x + lengths[0] · (y + lengths[1] · z)`. */
export type Extent = readonly [x: number, y: number, z: number];

export interface BoundInput {
  readonly storage: GpuStorage;
  readonly lengths: Extent;
}

/** A kernel that the driver has compiled. */
export interface GpuProgram {
  readonly kernel: GpuKernel;
}

/**
 * One way to a GPU. Kernels are compiled by gpu.js; buffers and launches are the backend's own, so that a result stays
 * where it is wanted. Everything is enqueued in order and nothing waits, but for `read`.
 */
export interface Backend {
  readonly name: BackendName;
  /** The device in words, as the driver gives them. */
  readonly description: string;
  /** Why the system has taken the device away, with all that was on it; null while it is there. */
  readonly lost: string | null;
  /** The most elements of one storage, and the limit's own name. */
  readonly maxLength: number;
  readonly limit: string;
  /** Whether a launch may write fewer elements than its output holds and leave the others as they are. */
  readonly writesParts: boolean;
  allocate(length: number): GpuStorage;
  /** Gives a storage back; work enqueued before may still use it. */
  release(storage: GpuStorage): void;
  compile(kernel: GpuKernel): GpuProgram;
  /** Runs one thread for each place of `threads`. `out` is none of the inputs. */
  run(
    program: GpuProgram,
    out: GpuStorage,
    threads: Extent,
    inputs: readonly BoundInput[],
    scalars: readonly number[],
  ): void;
  /** Copies elements, where the backend can without a kernel. The storages differ. */
  copy?(from: GpuStorage, fromIndex: number, to: GpuStorage, toIndex: number, length: number): void;
  /** Sets elements from `index` on; on a backend that does not write parts the index is 0. */
  write(storage: GpuStorage, index: number, values: Float32Array): void;
  /** Elements, once everything enqueued before has run. */
  read(storage: GpuStorage, index: number, length: number): Promise<Float32Array>;
  /** Hands memory that is kept for reuse back to the driver. */
  trim(): void;
  dispose(): void;
}

/** What comes of using a device that is lost. */
export function lostError({ name, lost }: Backend, cause?: unknown): DeviceError {
  return new DeviceError(
    `gpu: the ${name} device was lost, and what it held is gone (${lost}); call await gpu() for a new one, and load the model again`,
    { cause },
  );
}
