import { record } from '../autograd.js';
import { BYTES, checkDtype, type DType, isFloating } from '../dtype.js';
import { DtypeError, ShapeError } from '../errors.js';
import { scope } from '../scope.js';
import {
  broadcastShapes,
  broadcastStrides,
  checkedShape,
  checkList,
  inferShape,
  resolveAxis,
  type Shape,
  sameShape,
  sizeOf,
  stridesOf,
} from '../shape.js';
import { checkTensor, Tensor } from '../tensor.js';
import { commonDevice, sumTo } from './operand.js';

/** The same elements under another shape, sharing memory; one length may be -1. */
export function reshape(x: Tensor, shape: Shape): Tensor {
  checkTensor(x, 'reshape');
  const to = inferShape(shape, x.size, 'reshape');
  const y = new Tensor(x.storage.retain(), to, x.dtype);
  return record('reshape', [x], y, [], (g) => [reshape(g, x.shape)]);
}

/** Joins the axes from `start` to `end` (included). */
export function flatten(x: Tensor, start = 0, end = -1): Tensor {
  if (x.shape.length === 0) return reshape(x, [1]);
  const from = resolveAxis(start, x.shape.length, 'flatten');
  const to = resolveAxis(end, x.shape.length, 'flatten');
  if (to < from) throw new ShapeError(`flatten: axis ${start} must not come after axis ${end} of [${x.shape}]`);
  const joined = sizeOf(x.shape.slice(from, to + 1));
  return reshape(x, [...x.shape.slice(0, from), joined, ...x.shape.slice(to + 1)]);
}

/** A new axis of length 1 before `axis`. */
export function unsqueeze(x: Tensor, axis: number): Tensor {
  const at = resolveAxis(axis, x.shape.length + 1, 'unsqueeze');
  return reshape(x, [...x.shape.slice(0, at), 1, ...x.shape.slice(at)]);
}

/** Without `axis`, whose length must be 1. */
export function squeeze(x: Tensor, axis: number): Tensor {
  const at = resolveAxis(axis, x.shape.length, 'squeeze');
  if (x.shape[at] !== 1) throw new ShapeError(`squeeze: axis ${axis} must have length 1: [${x.shape}]`);
  return reshape(x, x.shape.toSpliced(at, 1));
}

/** Axes in another order, copied: `order[i]` is the axis of x that becomes axis i. */
export function permute(x: Tensor, order: readonly number[]): Tensor {
  checkTensor(x, 'permute');
  checkList(order, 'permute');
  const rank = x.shape.length;
  const axes = order.map((axis) => resolveAxis(axis, rank, 'permute'));
  if (axes.length !== rank || new Set(axes).size !== rank) {
    throw new ShapeError(`permute: each of the ${rank} axes must come once, got [${order}]`);
  }
  const strides = stridesOf(x.shape);
  const y = gatherStrided(
    x,
    axes.map((axis) => x.shape[axis]!),
    axes.map((axis) => strides[axis]!),
    0,
  );
  const inverse = axes.map((_, axis) => axes.indexOf(axis));
  return record('permute', [x], y, [], (g) => [permute(g, inverse)]);
}

/** Two axes exchanged, copied. */
export function transpose(x: Tensor, axis0: number, axis1: number): Tensor {
  const order = x.shape.map((_, axis) => axis);
  const [a, b] = [resolveAxis(axis0, order.length, 'transpose'), resolveAxis(axis1, order.length, 'transpose')];
  order[a] = b;
  order[b] = a;
  return permute(x, order);
}

/** Axes of length 1 (and new leading ones) repeated, copied; -1 keeps a length. */
export function expand(x: Tensor, shape: Shape): Tensor {
  checkTensor(x, 'expand');
  checkList(shape, 'expand');
  const shift = shape.length - x.shape.length;
  const lengths = shape.map((length, axis) => (length === -1 && axis >= shift ? x.shape[axis - shift]! : length));
  const to = checkedShape(lengths, 'expand');
  if (!sameShape(broadcastShapes(x.shape, to, 'expand'), to)) {
    throw new ShapeError(`expand: [${x.shape}] does not expand to [${to}]`);
  }
  const y = gatherStrided(x, to, broadcastStrides(x.shape, to), 0);
  return record('expand', [x], y, [], (g) => [sumTo(g, x.shape)]);
}

/** `length` neighbours along `axis` from `start`, copied: PyTorch's narrow. */
export function narrow(x: Tensor, axis: number, start: number, length: number): Tensor {
  checkTensor(x, 'narrow');
  const at = resolveAxis(axis, x.shape.length, 'narrow');
  const from = start < 0 ? start + x.shape[at]! : start;
  if (!Number.isInteger(from) || !Number.isInteger(length) || from < 0 || length < 0 || from + length > x.shape[at]!) {
    throw new ShapeError(`narrow: ${start} and ${length} more do not lie on axis ${axis} of [${x.shape}]`);
  }
  const strides = stridesOf(x.shape);
  const offset = from * strides[at]!;
  const y = gatherStrided(x, x.shape.with(at, length), strides, offset);
  return record('narrow', [x], y, [], (g, { into }) => {
    const sum = into(0); // of other pieces of x: with it, many pieces take one pass over x in all and not one each
    const dx = sum ?? Tensor.allocate(x.shape, 'float32', x.device).fill_(0);
    scatterStrided(sum ? gatherStrided(sum, g.shape, strides, offset).add_(g) : g, dx, strides, offset);
    return [dx];
  });
}

/** Tensors side by side along `axis`; other lengths must agree. */
export function cat(list: readonly Tensor[], axis = 0): Tensor {
  const tensors = [...list]; // as it is now, for the backward pass
  const first = tensors[0];
  if (!first) throw new ShapeError('cat: at least one tensor is expected, got none');
  for (const tensor of tensors) checkTensor(tensor, 'cat');
  const at = resolveAxis(axis, first.shape.length, 'cat');
  for (const tensor of tensors) {
    if (tensor.dtype !== first.dtype || !sameShape(tensor.shape.with(at, 0), first.shape.with(at, 0))) {
      throw new ShapeError(
        `cat: tensors must agree but for axis ${axis}: expected ${first.dtype} [${first.shape}], got ${tensor.dtype} [${tensor.shape}]`,
      );
    }
  }
  const total = tensors.reduce((sum, tensor) => sum + tensor.shape[at]!, 0);
  const y = Tensor.allocate(first.shape.with(at, total), first.dtype, commonDevice('cat', ...tensors));
  const strides = stridesOf(y.shape);
  let start = 0;
  for (const tensor of tensors) {
    scatterStrided(tensor, y, strides, start * strides[at]!);
    start += tensor.shape[at]!;
  }
  return record('cat', tensors, y, [], (g, { needs }) => {
    let from = 0;
    return tensors.map((tensor, i) => {
      const length = tensor.shape[at]!;
      from += length;
      return needs(i) ? narrow(g, at, from - length, length) : null;
    });
  });
}

/** Tensors of one shape along a new axis. */
export function stack(tensors: readonly Tensor[], axis = 0): Tensor {
  return scope(() =>
    cat(
      tensors.map((tensor) => unsqueeze(tensor, axis)),
      axis,
    ),
  );
}

/** Pieces of `length` along `axis`; the last one may be shorter. */
export function split(x: Tensor, length: number, axis = 0): Tensor[] {
  if (!Number.isInteger(length) || length < 1) {
    throw new ShapeError(`split: a piece has a length of 1 or more, got ${length}`);
  }
  const total = x.shape[resolveAxis(axis, x.shape.length, 'split')]!;
  const pieces: Tensor[] = [];
  for (let start = 0; start < total; start += length) {
    pieces.push(narrow(x, axis, start, Math.min(length, total - start)));
  }
  return pieces;
}

/**
 * The same values as another dtype, x itself where that is its own; see the kernel for rounding. Between floating dtypes the
 * gradient passes.
 */
export function cast(x: Tensor, dtype: DType): Tensor {
  checkTensor(x, 'cast');
  if (x.dtype === dtype) return x;
  checkDtype(dtype, 'to', '; await toDevice(t, device) copies to a device');
  const y = Tensor.allocate(x.shape, dtype, x.device);
  x.device.kernels.cast(x.storage.buffer, x.dtype, y.storage.buffer, dtype, x.size);
  if (!isFloating(dtype) || !isFloating(x.dtype)) return y;
  return record('cast', [x], y, [], (g) => [g]);
}

/** A copy in memory of its own. */
export function clone(x: Tensor): Tensor {
  checkTensor(x, 'clone');
  const y = Tensor.allocate(x.shape, x.dtype, x.device);
  x.device.kernels.copy(x.storage.buffer, 0, y.storage.buffer, 0, x.byteLength);
  return record('clone', [x], y, [], (g) => [g]);
}

/** Overwrites x with `source`, in place: same shape; converted to x's dtype. Returns x. */
export function copy_(x: Tensor, source: Tensor): Tensor {
  x.touch('copy_');
  checkTensor(source, 'copy_');
  if (!sameShape(x.shape, source.shape)) {
    throw new ShapeError(`copy_: both tensors must have one shape: expected [${x.shape}], got [${source.shape}]`);
  }
  const { kernels } = commonDevice('copy_', x, source);
  if (x.dtype === source.dtype) kernels.copy(source.storage.buffer, 0, x.storage.buffer, 0, x.byteLength);
  else kernels.cast(source.storage.buffer, source.dtype, x.storage.buffer, x.dtype, x.size);
  return x;
}

/** Sets every element, in place. Returns x. */
export function fill_(x: Tensor, value: number): Tensor {
  x.touch('fill_');
  x.device.kernels.fill(x.dtype, x.storage.buffer, value, x.size);
  return x;
}

/**
 * Writes `source` into x along `axis` from `start`, in place: how a key/value cache grows. Returns x.
 *
 * @throws ShapeError if it does not lie inside x, DtypeError if the dtypes differ
 */
export function assign_(x: Tensor, source: Tensor, axis: number, start: number): Tensor {
  x.touch('assign_');
  checkTensor(source, 'assign_');
  const at = resolveAxis(axis, x.shape.length, 'assign_');
  if (source.dtype !== x.dtype) throw new DtypeError(`assign_: expected ${x.dtype}, got ${source.dtype}`);
  const length = source.shape[at] ?? 0;
  const fits = Number.isInteger(start) && start >= 0 && start + length <= x.shape[at]!;
  if (!fits || !sameShape(source.shape, x.shape.with(at, length))) {
    throw new ShapeError(`assign_: [${source.shape}] does not lie inside [${x.shape}] at ${start} of axis ${axis}`);
  }
  const strides = stridesOf(x.shape);
  scatterStrided(source, x, strides, start * strides[at]!);
  return x;
}

function gatherStrided(x: Tensor, shape: Shape, strides: readonly number[], offset: number): Tensor {
  const y = Tensor.allocate(shape, x.dtype, x.device);
  const { kernels } = x.device;
  kernels.gatherStrided(x.storage.buffer, y.storage.buffer, shape, strides, offset, BYTES[x.dtype]);
  return y;
}

function scatterStrided(x: Tensor, y: Tensor, strides: readonly number[], offset: number): void {
  const { kernels } = x.device;
  kernels.scatterStrided(x.storage.buffer, y.storage.buffer, x.shape, strides, offset, BYTES[x.dtype]);
}
