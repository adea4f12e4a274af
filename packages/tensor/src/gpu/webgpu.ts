import { DeviceError } from '../errors.js';
import { giveTurn } from '../event-loop.js';
import { type Backend, type BoundInput, type Extent, type GpuProgram, type GpuStorage, lostError } from './backend.js';
import { createKernel, type GpuJs } from './gpu-js.js';
import type { GpuKernel, WgslKernel } from './kernel.js';
import { StoragePool, sizeClass } from './pool.js';
import { WebGpuQueue } from './webgpu-queue.js';
import {
  MAP_READ,
  USAGE,
  type WebGpuAdapter,
  type WebGpuBuffer,
  type WebGpuDevice,
  type WebGpuLayout,
  type WebGpuPipeline,
} from './webgpu-types.js';
import { finishWgsl } from './wgsl.js';

const WORKGROUP = 64; // what gpu.js gives a kernel of one axis

class WebGpuStorage implements GpuStorage {
  readonly capacity: number;
  readonly buffer: WebGpuBuffer;

  constructor(capacity: number, buffer: WebGpuBuffer) {
    this.capacity = capacity;
    this.buffer = buffer;
  }
}

interface WebGpuProgram extends GpuProgram {
  readonly pipeline: WebGpuPipeline;
  readonly layout: WebGpuLayout;
  readonly scalarTypes: readonly string[];
}

interface WgslProgram {
  readonly pipeline: WebGpuPipeline;
  readonly layout: WebGpuLayout;
}

/** WebGPU, on the device that gpu.js opened. */
export class WebGpuBackend implements Backend {
  readonly name = 'webgpu';
  readonly description: string;
  readonly maxLength: number;
  readonly limit = 'maxStorageBufferBindingSize';
  readonly writesParts = true;
  readonly device: WebGpuDevice;
  readonly #gpu: InstanceType<GpuJs['GPU']>;
  readonly #queue: WebGpuQueue;
  readonly #pool: StoragePool<WebGpuStorage>;
  #lost: string | null = null;

  constructor(gpuJs: GpuJs, adapter: WebGpuAdapter, device: WebGpuDevice) {
    this.#gpu = new gpuJs.GPU({ mode: 'webgpu' });
    this.device = device;
    this.description = describe(adapter);
    void device.lost.then(({ reason, message }) => {
      this.#lost = `${reason}: ${message}`;
    });
    const { maxStorageBufferBindingSize, maxBufferSize } = device.limits;
    this.maxLength = Math.floor(Math.min(maxStorageBufferBindingSize, maxBufferSize) / 4);
    this.#queue = new WebGpuQueue(device);
    this.#pool = new StoragePool(
      (capacity) => new WebGpuStorage(capacity, this.#createBuffer(capacity * 4)),
      (storage) => {
        this.#queue.flush();
        storage.buffer.destroy();
      },
    );
  }

  get lost(): string | null {
    return this.#lost;
  }

  allocate(length: number): GpuStorage {
    return this.#pool.take(Math.min(sizeClass(length), Math.max(length, this.maxLength)));
  }

  release(storage: GpuStorage): void {
    this.#pool.give(storage as WebGpuStorage);
  }

  compile(kernel: GpuKernel): GpuProgram {
    const built = createKernel(this.#gpu, kernel, 'WebGPUBuffer');
    built._buildAsync = () => Promise.resolve(); // the pipeline is made below, at once
    built.build(...kernel.inputs.map(() => ({})), ...Object.keys(kernel.scalars).map(() => 0));
    const code = finishWgsl(kernel, built.compiledSource ?? '');
    const { pipeline, layout } = this.compileWgsl({
      name: kernel.name,
      code,
      inputs: kernel.inputs.length,
      outputs: 1,
    });
    const program: WebGpuProgram = { kernel, pipeline, layout, scalarTypes: Object.values(kernel.scalars) };
    return program;
  }

  /** Compiles WGSL of our own; its entry point is `main`. An error in it is reported by the next `read`. */
  compileWgsl({ code, inputs, outputs }: WgslKernel): WgslProgram {
    const buffer = (type: string, binding: number) => ({ binding, visibility: 4, buffer: { type } });
    const entries = [buffer('uniform', 0)];
    for (let i = 1; i <= inputs; i++) entries.push(buffer('read-only-storage', i));
    for (let i = 1; i <= outputs; i++) entries.push(buffer('storage', inputs + i));
    const layout = this.device.createBindGroupLayout({ entries });
    const pipeline = this.device.createComputePipeline({
      layout: this.device.createPipelineLayout({ bindGroupLayouts: [layout] }),
      compute: { module: this.device.createShaderModule({ code }), entryPoint: 'main' },
    });
    return { pipeline, layout };
  }

  run(
    program: GpuProgram,
    out: GpuStorage,
    threads: Extent,
    inputs: readonly BoundInput[],
    scalars: readonly number[],
  ): void {
    const { scalarTypes, pipeline, layout } = program as WebGpuProgram;
    const count = threads[0] * threads[1] * threads[2];
    const groups = this.#groups(Math.ceil(count / WORKGROUP));
    const parameters = this.#queue.parameters(16 + 16 * inputs.length + 4 * scalars.length);
    parameters.integers.set([...threads, groups[0] * WORKGROUP]);
    inputs.forEach(({ lengths }, i) => {
      parameters.integers.set(lengths, 4 * (i + 1));
    });
    const start = 4 * (inputs.length + 1);
    scalars.forEach((value, i) => {
      if (scalarTypes[i] === 'Integer') parameters.integers[start + i] = value;
      else parameters.floats[start + i] = value;
    });
    this.#dispatch({ pipeline, layout }, [...inputs.map(({ storage }) => storage), out], parameters, groups);
  }

  /** Runs WGSL of our own over `groups` workgroups; `parameters` are the bytes of its uniform block. */
  runWgsl(
    program: WgslProgram,
    outputs: readonly GpuStorage[],
    inputs: readonly GpuStorage[],
    parameters: Int32Array,
    groups: Extent,
  ): void {
    const slot = this.#queue.parameters(parameters.byteLength);
    slot.integers.set(parameters);
    this.#dispatch(program, [...inputs, ...outputs], slot, groups);
  }

  copy(from: GpuStorage, fromIndex: number, to: GpuStorage, toIndex: number, length: number): void {
    if (length === 0) return;
    const [source, target] = [from as WebGpuStorage, to as WebGpuStorage];
    this.#queue.encoder().copyBufferToBuffer(source.buffer, fromIndex * 4, target.buffer, toIndex * 4, length * 4);
  }

  write(storage: GpuStorage, index: number, values: Float32Array): void {
    if (values.length === 0) return;
    this.#queue.flush(); // a write overtakes what is not submitted
    this.device.queue.writeBuffer((storage as WebGpuStorage).buffer, index * 4, values);
  }

  async read(storage: GpuStorage, index: number, length: number): Promise<Float32Array> {
    const size = Math.max(4, length * 4);
    const staging = this.device.createBuffer({ size, usage: USAGE.mapRead | USAGE.copyTarget });
    this.copy(storage, index, { capacity: length, buffer: staging } as WebGpuStorage, 0, length);
    this.#queue.flush();
    try {
      await staging.mapAsync(MAP_READ);
    } catch (cause) {
      throw await this.#refusal(cause);
    }
    const values = new Float32Array(staging.getMappedRange().slice(0)).subarray(0, length);
    staging.destroy();
    this.#queue.check();
    return values;
  }

  trim(): void {
    this.#pool.trim();
  }

  dispose(): void {
    this.#queue.flush();
    this.#pool.trim();
    this.device.destroy();
  }

  /** Why nothing could be read. That the device is lost may be told just after what waited for it was refused. */
  async #refusal(cause: unknown): Promise<DeviceError> {
    if (this.lost === null) await giveTurn();
    if (this.lost !== null) return lostError(this, cause);
    this.#queue.check();
    return new DeviceError(`gpu: WebGPU could not read: ${(cause as Error).message}`, { cause });
  }

  #createBuffer(size: number): WebGpuBuffer {
    return this.device.createBuffer({ size, usage: USAGE.storage | USAGE.copySource | USAGE.copyTarget });
  }

  #dispatch(
    { pipeline, layout }: { pipeline: WebGpuPipeline; layout: WebGpuLayout },
    storages: readonly GpuStorage[],
    parameters: { buffer: WebGpuBuffer; offset: number; size: number },
    groups: Extent,
  ): void {
    const { buffer, offset, size } = parameters;
    const entries = [
      { binding: 0, resource: { buffer, offset, size } },
      ...storages.map((storage, i) => ({ binding: i + 1, resource: { buffer: (storage as WebGpuStorage).buffer } })),
    ];
    const pass = this.#queue.pass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, this.device.createBindGroup({ layout, entries }));
    pass.dispatchWorkgroups(...groups);
    this.#queue.launched();
  }

  /** Folds a long row of workgroups, since the device bounds each axis. */
  #groups(count: number): Extent {
    const most = this.device.limits.maxComputeWorkgroupsPerDimension;
    const rows = Math.ceil(count / most);
    if (rows > most) throw new DeviceError(`gpu: a kernel needs ${count} workgroups; the device runs ${most * most}`);
    return rows <= 1 ? [count, 1, 1] : [Math.ceil(count / rows), rows, 1];
  }
}

function describe({ info = {} }: WebGpuAdapter): string {
  return [info.description, info.device, info.architecture, info.vendor].find((part) => part) ?? 'unnamed adapter';
}
