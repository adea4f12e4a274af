// The part of WebGPU that the backend uses (https://www.w3.org/TR/webgpu/), so that no types package is needed.

export interface WebGpuBuffer {
  readonly size: number;
  mapAsync(mode: number): Promise<void>;
  getMappedRange(): ArrayBuffer;
  unmap(): void;
  destroy(): void;
}

export type WebGpuPipeline = object;
export type WebGpuLayout = object;
type WebGpuBindGroup = object;
type WebGpuCommands = object;

export interface WebGpuPass {
  setPipeline(pipeline: WebGpuPipeline): void;
  setBindGroup(index: number, group: WebGpuBindGroup): void;
  dispatchWorkgroups(x: number, y: number, z: number): void;
  end(): void;
}

export interface WebGpuEncoder {
  beginComputePass(): WebGpuPass;
  copyBufferToBuffer(from: WebGpuBuffer, fromByte: number, to: WebGpuBuffer, toByte: number, bytes: number): void;
  finish(): WebGpuCommands;
}

interface WebGpuBinding {
  binding: number;
  resource: { buffer: WebGpuBuffer; offset?: number; size?: number };
}

export interface WebGpuLimits {
  readonly maxStorageBufferBindingSize: number;
  readonly maxBufferSize: number;
  readonly maxComputeWorkgroupsPerDimension: number;
  readonly minUniformBufferOffsetAlignment: number;
}

export interface WebGpuDevice {
  readonly limits: WebGpuLimits;
  readonly lost: Promise<{ readonly reason: string; readonly message: string }>;
  readonly queue: {
    submit(commands: WebGpuCommands[]): void;
    writeBuffer(buffer: WebGpuBuffer, byte: number, data: ArrayBufferView, from?: number, length?: number): void;
  };
  onuncapturederror: ((event: { error: { message: string } }) => void) | null;
  createBuffer(options: { size: number; usage: number }): WebGpuBuffer;
  createShaderModule(options: { code: string }): object;
  createBindGroupLayout(options: { entries: object[] }): WebGpuLayout;
  createPipelineLayout(options: { bindGroupLayouts: WebGpuLayout[] }): object;
  createComputePipeline(options: { layout: object; compute: { module: object; entryPoint: string } }): WebGpuPipeline;
  createBindGroup(options: { layout: WebGpuLayout; entries: WebGpuBinding[] }): WebGpuBindGroup;
  createCommandEncoder(): WebGpuEncoder;
  destroy(): void;
}

export interface WebGpuAdapter {
  readonly info?: { vendor?: string; architecture?: string; device?: string; description?: string };
}

export const USAGE = { mapRead: 0x1, copySource: 0x4, copyTarget: 0x8, uniform: 0x40, storage: 0x80 } as const;
export const MAP_READ = 1;
