/** Axes of an elementwise walk, simplified: `shape` and one list of strides an operand, all of the same length. */
export interface Walk {
  readonly shape: readonly number[];
  readonly strides: readonly (readonly number[])[];
}

/**
 * The same walk with as few axes as can be: axes of size 1 are dropped, and neighbours over which every operand steps
 * evenly become one. At least one axis is left.
 */
export function simplify(shape: readonly number[], strides: readonly (readonly number[])[]): Walk {
  const sizes: number[] = [];
  const steps: number[][] = strides.map(() => []);
  for (let axis = 0; axis < shape.length; axis++) {
    const size = shape[axis]!;
    if (size === 1) continue;
    const last = sizes.length - 1;
    const even = last >= 0 && steps.every((list, operand) => list[last] === strides[operand]![axis]! * size);
    if (even) sizes[last]! *= size;
    else sizes.push(size);
    for (const [operand, list] of steps.entries()) list[even ? last : sizes.length - 1] = strides[operand]![axis]!;
  }
  if (sizes.length > 0) return { shape: sizes, strides: steps };
  return { shape: [1], strides: strides.map(() => [1]) };
}

/** A walk as the kernels take it: the inner axis apart, the outer ones as one list of numbers. */
export interface Rows {
  /** Outer sizes, then each operand's outer strides. */
  readonly dims: readonly number[];
  /** How many outer axes there are. */
  readonly rank: number;
  /** Elements in a row. */
  readonly length: number;
  /** Each operand's stride along a row. */
  readonly steps: readonly number[];
  /** All elements. */
  readonly size: number;
}

/** The walk over `shape`, simplified. Operands that all lie as `shape` says are one row: no need to look closer. */
export function rowsOver(shape: readonly number[], strides: readonly (readonly number[])[]): Rows {
  if (!strides.every((list) => isContiguous(shape, list))) return rowsOf(simplify(shape, strides));
  let size = 1;
  for (const length of shape) size *= length;
  return { dims: [], rank: 0, length: size, steps: strides.map(() => 1), size };
}

function isContiguous(shape: readonly number[], strides: readonly number[]): boolean {
  let step = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    if (strides[axis] !== step) return false;
    step *= shape[axis]!;
  }
  return true;
}

/** Splits the last axis off a simplified walk. */
export function rowsOf({ shape, strides }: Walk): Rows {
  const rank = shape.length - 1;
  return {
    dims: [...shape.slice(0, rank), ...strides.flatMap((list) => list.slice(0, rank))],
    rank,
    length: shape[rank]!,
    steps: strides.map((list) => list[rank]!),
    size: shape.reduce((product, size) => product * size, 1),
  };
}
