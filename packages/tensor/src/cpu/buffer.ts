import type { DeviceBuffer } from '../device.js';
import { DeviceError, LifetimeError } from '../errors.js';
import { type Block, blockPointer } from './allocator.js';

/** A piece of the CPU device's memory: `byteLength` bytes from `pointer`, which is a multiple of 64. */
export class CpuBuffer implements DeviceBuffer {
  readonly byteLength: number;
  readonly owner: object; // the books that count it
  block: Block | null; // null once it is freed
  /** While kernels hold the bytes in an order of their own: what that is, and how the usual one comes back. */
  order: ByteOrder | null = null;

  constructor(byteLength: number, block: Block, owner: object) {
    this.byteLength = byteLength;
    this.block = block;
    this.owner = owner;
  }
}

/** An order of a buffer's bytes that only some kernels know. */
export interface ByteOrder {
  /** Bytes of a row of the matrix that was turned. */
  readonly rowBytes: number;
  restore(): void;
}

/**
 * The byte address of a buffer, 0 for null. Its bytes are in their usual order from then on.
 *
 * @throws DeviceError if another device made the buffer
 * @throws LifetimeError if it was freed
 */
export function pointer(buffer: DeviceBuffer | null): number {
  if (buffer === null) return 0;
  liveBuffer(buffer).order?.restore();
  return address(buffer);
}

/** As `pointer`, of a buffer whose bytes stay in the order that they are in. */
export function address(buffer: DeviceBuffer): number {
  return blockPointer(liveBuffer(buffer).block);
}

/**
 * For the few who know a buffer's order: the buffer as it is.
 *
 * @throws DeviceError if another device made the buffer
 * @throws LifetimeError if it was freed
 */
export function liveBuffer(buffer: DeviceBuffer): CpuBuffer & { block: Block } {
  if (!(buffer instanceof CpuBuffer)) {
    throw new DeviceError('cpu: a kernel was given a buffer of another device; move the tensor to the CPU first');
  }
  if (buffer.block === null) {
    throw new LifetimeError(`cpu: a kernel was given a buffer of ${buffer.byteLength} bytes that was freed before`);
  }
  return buffer as CpuBuffer & { block: Block };
}
