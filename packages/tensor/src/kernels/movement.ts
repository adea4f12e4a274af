import type { DeviceBuffer } from '../device.js';
import type { DType } from '../dtype.js';

/** Copies and gathers. */
export interface MovementKernels {
  /** Sets `size` elements to `value` (converted to `dtype`). */
  fill(dtype: DType, y: DeviceBuffer, value: number, size: number): void;

  /** Copies bytes within a device. */
  copy(x: DeviceBuffer, xByteOffset: number, y: DeviceBuffer, yByteOffset: number, byteLength: number): void;

  /**
   * Converts `size` elements. To float16 and bfloat16: round to nearest, ties to even, overflow to infinity, NaN stays
   * NaN. To int32 and uint8: towards zero, saturating (NaN gives 0).
   */
  cast(x: DeviceBuffer, from: DType, y: DeviceBuffer, to: DType, size: number): void;

  /**
   * `y[i0, i1, ...] = x[xOffset + Σ i·xStrides]`: permute, expand and slice in one. Strides and offset in elements of
   * `bytesPerElement` (1, 2 or 4). y is contiguous.
   */
  gatherStrided(
    x: DeviceBuffer,
    y: DeviceBuffer,
    shape: readonly number[],
    xStrides: readonly number[],
    xOffset: number,
    bytesPerElement: number,
  ): void;

  /** `y[yOffset + Σ i·yStrides] = x[i0, i1, ...]`, x contiguous: concatenation, cache appends, the gradient of slice. */
  scatterStrided(
    x: DeviceBuffer,
    y: DeviceBuffer,
    shape: readonly number[],
    yStrides: readonly number[],
    yOffset: number,
    bytesPerElement: number,
  ): void;

  /**
   * `y[i] = table[ids[i]]`, rows of `cols`; table is float32, float16 or bfloat16, y float32, ids int32.
   * The operation above has checked the ids it can see; a kernel clamps an id outside [0, rows) into it.
   */
  gatherRows(
    table: DeviceBuffer,
    dtype: DType,
    ids: DeviceBuffer,
    y: DeviceBuffer,
    count: number,
    rows: number,
    cols: number,
  ): void;

  /** `dtable[ids[i]] += g[i]`, in the order of i; an id equal to `skip` adds nothing (-1: none is skipped). */
  scatterAddRows(
    g: DeviceBuffer,
    ids: DeviceBuffer,
    dtable: DeviceBuffer,
    count: number,
    rows: number,
    cols: number,
    skip: number,
  ): void;
}
