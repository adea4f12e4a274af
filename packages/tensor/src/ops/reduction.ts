import { noGrad, record } from '../autograd.js';
import { ShapeError } from '../errors.js';
import type { ReduceOp } from '../kernels/reduction.js';
import { scope } from '../scope.js';
import { resolveAxis, type Shape, sizeOf } from '../shape.js';
import { checkTensor, Tensor } from '../tensor.js';
import { expand, permute, reshape } from './movement.js';
import { widen, widened } from './operand.js';

/** One axis or several, counted from the end if negative; left out: all of them. */
export type Axes = number | readonly number[];

/** Sums over `axes`. In blocks, so that the error of float32 does not grow with the length. */
export function sum(x: Tensor, axes?: Axes, keepdim = false): Tensor {
  return reduceWith('sum', x, axes, keepdim, (g, wide, kept) => expand(reshape(g, kept), wide.shape));
}

/** The mean over `axes`; NaN over an empty axis. */
export function mean(x: Tensor, axes?: Axes, keepdim = false): Tensor {
  return scope(() => {
    const y = sum(x, axes, keepdim);
    return y.mul(y.size / x.size);
  });
}

/** The sum of absolute values over `axes`. */
export function sumAbs(x: Tensor, axes?: Axes, keepdim = false): Tensor {
  return reduceWith('sumAbs', x, axes, keepdim, (g, wide, kept) => wide.sign().mul(reshape(g, kept)), true);
}

/** The sum of squares over `axes`. */
export function sumSquares(x: Tensor, axes?: Axes, keepdim = false): Tensor {
  return reduceWith('sumSquares', x, axes, keepdim, (g, wide, kept) => wide.mul(reshape(g, kept)).mul(2), true);
}

/** The largest element over `axes`; NaN is passed on. Equal ones share the gradient, as in PyTorch. */
export function amax(x: Tensor, axes?: Axes, keepdim = false): Tensor {
  return extremum('max', x, axes, keepdim);
}

/** The smallest element over `axes`; NaN is passed on. Equal ones share the gradient, as in PyTorch. */
export function amin(x: Tensor, axes?: Axes, keepdim = false): Tensor {
  return extremum('min', x, axes, keepdim);
}

/** The largest absolute value over `axes`. */
export function amaxAbs(x: Tensor, axes?: Axes, keepdim = false): Tensor {
  return extremum('maxAbs', x, axes, keepdim);
}

/** int32 index of the first largest element along the last axis. No gradient. */
export function argmax(x: Tensor): Tensor {
  return scope(() => argmaxRows(widen(x, 'argmax')));
}

function argmaxRows(wide: Tensor): Tensor {
  const cols = wide.shape.at(-1);
  if (!cols) throw new ShapeError(`argmax: the last axis must not be empty, got [${wide.shape}]`);
  const y = Tensor.allocate(wide.shape.slice(0, -1), 'int32', wide.device);
  wide.device.kernels.argmax(wide.storage.buffer, y.storage.buffer, y.size, cols);
  return y;
}

/** How many elements are NaN or infinite, as an int32 scalar. No gradient. */
export function countNonFinite(x: Tensor): Tensor {
  return scope(() => {
    const wide = widen(x, 'countNonFinite');
    const y = Tensor.allocate([], 'int32', wide.device);
    wide.device.kernels.countNonFinite(wide.storage.buffer, y.storage.buffer, wide.size, false);
    return y;
  });
}

type ReductionGradient = (g: Tensor, x: Tensor, kept: Shape) => Tensor;

function reduceWith(
  op: ReduceOp,
  input: Tensor,
  axes: Axes | undefined,
  keepdim: boolean,
  gradient: ReductionGradient,
  saves = false,
): Tensor {
  return widened(op, [input], (x) => {
    const reduced = resolveAxes(x, axes, op);
    const kept = x.shape.map((length, axis) => (reduced.includes(axis) ? 1 : length));
    const y = asShape(reduce(op, x, reduced), keepdim ? kept : x.shape.filter((_, axis) => !reduced.includes(axis)));
    return record(op, [x], y, saves ? [x] : [], (g, { saved }) => [gradient(g, saved[0] ?? x, kept)]);
  });
}

function extremum(op: 'max' | 'min' | 'maxAbs', input: Tensor, axes: Axes | undefined, keepdim: boolean): Tensor {
  return scope(() => extremumOf(op, widen(input, op), axes, keepdim));
}

function extremumOf(op: 'max' | 'min' | 'maxAbs', wide: Tensor, axes: Axes | undefined, keepdim: boolean): Tensor {
  const reduced = resolveAxes(wide, axes, op);
  const others = wide.shape.flatMap((_, axis) => (reduced.includes(axis) ? [] : [axis]));
  const rows = others.map((axis) => wide.shape[axis]!);
  const ordered = reduced.every((axis, i) => axis === others.length + i);
  const x = ordered ? wide : permute(wide, [...others, ...reduced]); // [outer, length]
  const outer = sizeOf(rows);
  const length = sizeOf(reduced.map((axis) => wide.shape[axis]!));
  if (length === 0) throw new ShapeError(`${op}: the axes to reduce must not be empty, got [${wide.shape}]`);
  const y = Tensor.allocate(rows, 'float32', x.device);
  x.device.kernels.reduce(op, x.storage.buffer, y.storage.buffer, outer, length, 1);
  const result = record(op, [x], y, [x, y], (g, { saved }) => {
    const dx = Tensor.allocate(x.shape, 'float32', x.device);
    x.device.kernels.reduceExtremumBackward(
      op,
      saved[0]!.storage.buffer,
      saved[1]!.storage.buffer,
      g.storage.buffer,
      dx.storage.buffer,
      outer,
      length,
      1,
    );
    return [dx];
  });
  const kept = wide.shape.map((size, axis) => (reduced.includes(axis) ? 1 : size));
  return keepdim ? reshape(result, kept) : result;
}

/** Reduces each run of neighbouring axes in one pass; the last runs first, so that shapes stay simple. */
function reduce(op: ReduceOp, x: Tensor, axes: readonly number[]): Tensor {
  const { kernels } = x.device;
  let shape = [...x.shape];
  let y = x;
  let step = op;
  for (let last = axes.length - 1; last >= 0; last--) {
    let first = last;
    while (first > 0 && axes[first - 1] === axes[first]! - 1) first--;
    const [from, to] = [axes[first]!, axes[last]!];
    const length = sizeOf(shape.slice(from, to + 1));
    const outer = sizeOf(shape.slice(0, from));
    const inner = sizeOf(shape.slice(to + 1));
    shape = [...shape.slice(0, from), ...shape.slice(to + 1)];
    const next = Tensor.allocate(shape, 'float32', x.device);
    kernels.reduce(step, y.storage.buffer, next.storage.buffer, outer, length, inner);
    if (y !== x) y.dispose();
    y = next;
    step = 'sum'; // absolute values and squares are taken once
    last = first;
  }
  if (y !== x) return y;
  return noGrad(() => (op === 'sumAbs' ? x.abs() : op === 'sumSquares' ? x.square() : x.clone()));
}

function asShape(x: Tensor, shape: Shape): Tensor {
  const y = new Tensor(x.storage.retain(), shape, x.dtype);
  x.dispose();
  return y;
}

function resolveAxes(x: Tensor, axes: Axes | undefined, who: string): number[] {
  checkTensor(x, who);
  const rank = x.shape.length;
  if (axes === undefined) return x.shape.map((_, axis) => axis);
  const list = (typeof axes === 'number' ? [axes] : [...axes]).map((axis) => resolveAxis(axis, rank, who));
  return [...new Set(list)].sort((a, b) => a - b);
}
