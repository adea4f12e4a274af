import type { DeviceName } from '@burin/testing';
import { seededRandom } from '@burin/testing';

/** Sizes around the widths that kernels work in: 4 lanes, 16 and 64 elements a turn, 128-wide panels. */
export const SIZES = [1, 3, 5, 7, 16, 17, 63, 64, 65, 130] as const;

/** Lengths around the blocks of 1024 that sums run in, and past a few of them. */
export const LONG = [1023, 1024, 1025, 3077] as const;

export const zeros = (size: number) => new Float32Array(size);

/** Rubbish that an output held before: a kernel that forgets an element is seen. */
export const dirty = (size: number) => new Float32Array(size).fill(12345);

/** `size` normal numbers, the same for the same seed. */
export const normals = (size: number, seed: number, std = 1) => seededRandom(seed).normal(size, std);

/** Normal numbers with none closer to 0 than 0.1, where kinks and poles are. */
export const awayFromZero = (size: number, seed: number) => normals(size, seed).map((x) => x + 0.1 * Math.sign(x));

/** Numbers in [0.1, 2.1). */
export const positives = (size: number, seed: number) => seededRandom(seed).uniform(size, 0.1, 2.1);

/** Row-major strides of `shape`. */
export function contiguousStrides(shape: readonly number[]): number[] {
  return shape.map((_, axis) => shape.slice(axis + 1).reduce((product, length) => product * length, 1));
}

/** Less than this a GPU may take for 0, and round results to 0. */
const SMALLEST_NORMAL = 2 ** -126;

/** `values` that `device` computes on to full precision: GPUs flush subnormal numbers, arguments and results. */
export function withoutFlushed(device: DeviceName, values: readonly number[], results = values): number[] {
  if (device === 'cpu') return [...values];
  const flushed = (x: number) => x !== 0 && Math.abs(x) < SMALLEST_NORMAL;
  return values.filter((x, i) => !flushed(x) && !flushed(results[i]!));
}

/** Whole numbers within this of 0 are exact in a float32, which is how a GPU keeps integers. */
const EXACT_INTEGERS = 2 ** 24;

/** `values` as `device` can keep them: integers within 2^24, no subnormal numbers, one NaN. */
export function keptBy<T extends Float32Array | Int32Array>(device: DeviceName, values: T): T {
  if (device === 'cpu') return values;
  if (values instanceof Int32Array)
    return values.map((x) => Math.min(Math.max(x, -EXACT_INTEGERS), EXACT_INTEGERS)) as T;
  return values.filter((x) => x === 0 || Math.abs(x) > SMALLEST_NORMAL || Number.isNaN(x)) as T;
}
