import type { Kernels } from './kernels/index.js';
import type { DeviceMemory } from './memory.js';

/** A piece of device memory, as its device hands it out. Opaque to all but the device that made it. */
export interface DeviceBuffer {
  readonly byteLength: number;
}

/** Where tensors live and kernels run: one implementation of the kernel table over one memory. */
export interface Device {
  readonly name: 'cpu' | 'gpu';
  readonly memory: DeviceMemory;
  readonly kernels: Kernels;
  /** Copies host bytes into `buffer`, starting `byteOffset` bytes in. Enqueued like a kernel. */
  write(buffer: DeviceBuffer, bytes: Uint8Array, byteOffset?: number): void;
  /** A copy of `byteLength` bytes of `buffer`, once everything enqueued before has run. */
  read(buffer: DeviceBuffer, byteOffset?: number, byteLength?: number): Promise<Uint8Array>;
  /** The same at once, where the host can see device memory (cpu). A GPU has no honest synchronous read. */
  readNow?(buffer: DeviceBuffer, byteOffset?: number, byteLength?: number): Uint8Array;
  /** Says in words which engine is at work, for example `cpu (WebAssembly SIMD, 1 thread)`. */
  describe(): string;
}
