import type { DeviceBuffer } from './device.js';
import type { DType } from './dtype.js';

/** What a listener is told before an allocation that would exceed the budget. */
export interface MemoryPressure {
  /** Bytes that are about to be allocated. */
  readonly requestedBytes: number;
  /** Bytes that must become free for it to fit. */
  readonly shortfallBytes: number;
}

/** Frees what it can (an optimizer pages its state out, a cache is dropped) and returns; it must not allocate. */
export type PressureListener = (pressure: MemoryPressure) => void;

/** Allocation that does not fit the budget after every listener has been told. */
export class MemoryError extends Error {
  override readonly name = 'MemoryError';
}

/**
 * The books of a device's memory. Counts the bytes that tensors asked for; a device's fixed workspace is not among them.
 */
export interface DeviceMemory {
  /** Bytes held now. */
  readonly liveBytes: number;
  /** The most bytes held at once since the start or the last `resetPeak()`. */
  readonly peakBytes: number;
  /** Pieces held now. */
  readonly liveBuffers: number;
  /** The most bytes that may be held; Infinity where there is no limit of one's own. */
  budget: number;
  resetPeak(): void;
  /** Calls `listener` before an allocation would exceed the budget; returns the function that takes it off again. */
  onPressure(listener: PressureListener): () => void;
  /**
   * @param byteLength - as the host counts: elements times the bytes of one
   * @param dtype - what the elements are; a device may keep them wider than the host does. Default: float32
   * @throws MemoryError if it does not fit the budget once every listener has been told
   */
  allocate(byteLength: number, dtype?: DType): DeviceBuffer;
  free(buffer: DeviceBuffer): void;
}
