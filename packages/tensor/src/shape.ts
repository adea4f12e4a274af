import { ShapeError } from './errors.js';

/** Lengths of the axes, the outermost first; `[]` is a scalar. */
export type Shape = readonly number[];

/** Number of elements; 1 for a scalar's empty shape. */
export function sizeOf(shape: Shape): number {
  let size = 1;
  for (const length of shape) size *= length;
  return size;
}

/** Row-major strides in elements. */
export function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length);
  let stride = 1;
  for (let axis = shape.length - 1; axis >= 0; axis--) {
    strides[axis] = stride;
    stride *= shape[axis]!;
  }
  return strides;
}

export function sameShape(a: Shape, b: Shape): boolean {
  if (a.length !== b.length) return false;
  for (let axis = 0; axis < a.length; axis++) if (a[axis] !== b[axis]) return false;
  return true;
}

/** Refuses what only a program without types gives: lengths one by one, or options where a shape is expected. */
export function checkList(list: readonly number[], who: string): void {
  if (Array.isArray(list)) return;
  throw new TypeError(
    `${who}: expected an array of numbers such as [2, 3], got ${list === null ? 'null' : typeof list}`,
  );
}

/** A copy of `shape`, which its owner may change; checked to hold whole numbers of 0 or more. */
export function checkedShape(shape: Shape, who: string): Shape {
  checkList(shape, who);
  for (const length of shape) {
    if (!Number.isSafeInteger(length) || length < 0) {
      throw new ShapeError(`${who}: a shape holds whole numbers of 0 or more, got [${shape}]`);
    }
  }
  return [...shape];
}

/** An axis counted from the end if negative. */
export function resolveAxis(axis: number, rank: number, who: string): number {
  const resolved = axis < 0 ? axis + rank : axis;
  if (!Number.isInteger(axis) || resolved < 0 || resolved >= rank) {
    throw new ShapeError(`${who}: axis ${axis} is out of range for ${rank} axes`);
  }
  return resolved;
}

/** NumPy's broadcasting: shapes are aligned at their ends, an axis of 1 repeats. */
export function broadcastShapes(a: Shape, b: Shape, who: string): number[] {
  const rank = Math.max(a.length, b.length);
  const shape = new Array<number>(rank);
  for (let i = 1; i <= rank; i++) {
    const left = i <= a.length ? a[a.length - i]! : 1;
    const right = i <= b.length ? b[b.length - i]! : 1;
    if (left !== right && left !== 1 && right !== 1) {
      throw new ShapeError(
        `${who}: shapes do not broadcast: [${a}] and [${b}] differ on axis -${i} (${left} and ${right})`,
      );
    }
    shape[rank - i] = left === 1 ? right : left;
  }
  return shape;
}

/** Strides that read a tensor of `shape` as if it had shape `to`: 0 where an axis repeats. */
export function broadcastStrides(shape: Shape, to: Shape): number[] {
  const own = stridesOf(shape);
  const shift = to.length - shape.length;
  return to.map((length, axis) => {
    const from = axis - shift;
    return from < 0 || (shape[from] === 1 && length !== 1) ? 0 : own[from]!;
  });
}

/** The shape `requested` with at most one -1 filled in so that it holds `size` elements. */
export function inferShape(requested: Shape, size: number, who: string): number[] {
  checkList(requested, who);
  const holes = requested.filter((length) => length === -1).length;
  const known = sizeOf(requested.filter((length) => length !== -1));
  const shape = requested.map((length) => (length === -1 ? size / known : length));
  const fits = holes <= 1 && shape.every((length) => Number.isInteger(length) && length >= 0);
  if (!fits || sizeOf(shape) !== size) {
    throw new ShapeError(`${who}: [${requested}] does not hold ${size} elements`);
  }
  return shape;
}
