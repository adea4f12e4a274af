import type { DeviceBuffer } from '../device.js';
import { DeviceError, LifetimeError } from '../errors.js';
import type { Backend, BoundInput, Extent, GpuProgram, GpuStorage } from './backend.js';
import { type GpuBuffer, gpuBuffer } from './buffer.js';
import { type GpuKernel, gpuKernel, type WgslKernel } from './kernel.js';
import { WebGpuBackend } from './webgpu.js';

/** Memory that a kernel uses for itself: not counted, gone when the kernel's own function ends. */
export class Scratch {
  storage: GpuStorage;
  readonly floats: number;

  constructor(storage: GpuStorage, floats: number) {
    this.storage = storage;
    this.floats = floats;
  }
}

/** A buffer, scratch, or one of them seen with axes: `x[z][y][x]` in the kernel. */
export type LaunchInput = DeviceBuffer | Scratch | View;

interface View {
  readonly of: DeviceBuffer | Scratch;
  readonly lengths: Extent;
}

/** `of` as an array of `[..., y][x]`, so that the kernel can index it by row without integers beyond 2^24. */
export function view(of: DeviceBuffer | Scratch, x: number, y = 1, z = 1): View {
  return { of, lengths: [x, y, z] };
}

/** `y` with `patch` from `index` on: how a backend without partial writes does them. */
const splice = gpuKernel(
  'splice',
  ['y', 'patch'],
  { index: 'Integer', count: 'Integer', from: 'Integer' },
  `if (this.thread.x < index) { return y[this.thread.x]; }
   if (this.thread.x >= index + count) { return y[this.thread.x]; }
   return patch[this.thread.x - index + from];`,
);

const shift = gpuKernel('shift', ['x'], { from: 'Integer' }, 'return x[this.thread.x + from];');

/** Runs kernels on buffers: compiles each once, and finds room for results that cannot be written in place. */
export class Launcher {
  readonly backend: Backend;
  readonly #programs = new Map<GpuKernel, GpuProgram>();
  readonly #wgslPrograms = new Map<WgslKernel, ReturnType<WebGpuBackend['compileWgsl']>>();
  /** Kernels launched since the device was opened. */
  launches = 0;

  constructor(backend: Backend) {
    this.backend = backend;
  }

  /** Kernels that the driver has compiled so far. */
  get compiledKernels(): number {
    return this.#programs.size + this.#wgslPrograms.size;
  }

  /**
   * Runs `kernel` and puts what it returns into the first elements of `y`, which may be one of the inputs.
   *
   * @param threads - how many there are, along up to three axes, the fastest first
   * @param scalars - in the order of the kernel's own
   */
  launch(
    kernel: GpuKernel,
    y: DeviceBuffer | Scratch,
    threads: number | Extent,
    inputs: readonly LaunchInput[],
    scalars: readonly number[] = [],
  ): void {
    this.launchAt(kernel, y, 0, threads, inputs, scalars);
  }

  /** The same into the elements of `y` from `index` on. */
  launchAt(
    kernel: GpuKernel,
    y: DeviceBuffer | Scratch,
    index: number,
    threads: number | Extent,
    inputs: readonly LaunchInput[],
    scalars: readonly number[] = [],
  ): void {
    const extent: Extent = typeof threads === 'number' ? [threads, 1, 1] : threads;
    const count = extent[0] * extent[1] * extent[2] * kernel.width;
    if (count === 0) return;
    const out = memoryOf(y);
    const bound = inputs.map(bind);
    const aliased = bound.some(({ storage }) => storage === out.storage);
    const whole = index === 0 && count >= out.floats;
    if (!aliased && (whole || (index === 0 && this.backend.writesParts))) {
      this.#run(kernel, out.storage, extent, bound, scalars);
      return;
    }
    const fresh = this.backend.allocate(count);
    this.#run(kernel, fresh, extent, bound, scalars);
    if (whole) {
      this.backend.release(out.storage);
      out.storage = fresh;
      return;
    }
    this.splice(out, index, fresh, 0, count);
    this.backend.release(fresh);
  }

  /** The backend, where it is WebGPU and takes WGSL; else null. */
  get webGpu(): WebGpuBackend | null {
    return this.backend instanceof WebGpuBackend ? this.backend : null;
  }

  /**
   * Runs WGSL of our own, WebGPU only. Outputs are read and written in place, and none of them is an input.
   *
   * @param parameters - the uniform block, a multiple of 16 bytes; a float goes in through a Float32Array over it
   */
  launchWgsl(
    kernel: WgslKernel,
    outputs: readonly (DeviceBuffer | Scratch)[],
    inputs: readonly (DeviceBuffer | Scratch)[],
    parameters: Int32Array,
    groups: Extent,
  ): void {
    const backend = this.webGpu;
    if (!backend) throw new DeviceError(`gpu: ${kernel.name} is WGSL, which ${this.backend.name} does not run`);
    let program = this.#wgslPrograms.get(kernel);
    if (!program) {
      program = backend.compileWgsl(kernel);
      this.#wgslPrograms.set(kernel, program);
    }
    this.launches += 1;
    const storages = (of: readonly (DeviceBuffer | Scratch)[]) => of.map((memory) => memoryOf(memory).storage);
    backend.runWgsl(program, storages(outputs), storages(inputs), parameters, groups);
  }

  /** Copies floats of one buffer into another, or to another place of the same one. */
  copy(x: DeviceBuffer | Scratch, from: number, y: DeviceBuffer | Scratch, to: number, count: number): void {
    if (count === 0) return;
    const [source, out] = [memoryOf(x), memoryOf(y)];
    if (source.storage !== out.storage) {
      this.splice(out, to, source.storage, from, count);
      return;
    }
    const fresh = this.backend.allocate(count);
    this.#run(shift, fresh, [count, 1, 1], [{ storage: source.storage, lengths: [source.floats, 1, 1] }], [from]);
    this.splice(out, to, fresh, 0, count);
    this.backend.release(fresh);
  }

  /** Puts `count` floats of `patch` into `out` at `index`. */
  splice(
    out: { storage: GpuStorage; floats: number },
    index: number,
    patch: GpuStorage,
    from: number,
    count: number,
  ): void {
    if (this.backend.copy) {
      this.backend.copy(patch, from, out.storage, index, count);
      return;
    }
    const fresh = this.backend.allocate(out.floats);
    const inputs = [out.storage, patch].map((storage): BoundInput => ({ storage, lengths: [storage.capacity, 1, 1] }));
    this.#run(splice, fresh, [out.floats, 1, 1], inputs, [index, count, from]);
    this.backend.release(out.storage);
    out.storage = fresh;
  }

  /** Memory for the duration of `body`. */
  withScratch<T>(floats: number, body: (scratch: Scratch) => T): T {
    const scratch = new Scratch(this.backend.allocate(floats), floats);
    try {
      return body(scratch);
    } finally {
      this.backend.release(scratch.storage);
    }
  }

  /** Runs `kernel` into a storage of its own. */
  launchInto(
    kernel: GpuKernel,
    out: GpuStorage,
    threads: number | Extent,
    inputs: readonly BoundInput[],
    scalars: readonly number[],
  ): void {
    this.#run(kernel, out, typeof threads === 'number' ? [threads, 1, 1] : threads, inputs, scalars);
  }

  #run(
    kernel: GpuKernel,
    out: GpuStorage,
    threads: Extent,
    inputs: readonly BoundInput[],
    scalars: readonly number[],
  ): void {
    let program = this.#programs.get(kernel);
    if (!program) {
      program = this.backend.compile(kernel);
      this.#programs.set(kernel, program);
    }
    this.launches += 1;
    this.backend.run(program, out, threads, inputs, scalars);
  }
}

function memoryOf(of: DeviceBuffer | Scratch): (GpuBuffer & { storage: GpuStorage }) | Scratch {
  return of instanceof Scratch ? of : gpuBuffer(of);
}

function bind(input: LaunchInput): BoundInput {
  if ('of' in input) return { storage: memoryOf(input.of).storage, lengths: input.lengths };
  const memory = memoryOf(input);
  if (memory.storage === null) throw new LifetimeError('gpu: a kernel was given memory that was freed before');
  return { storage: memory.storage, lengths: [memory.floats, 1, 1] };
}
