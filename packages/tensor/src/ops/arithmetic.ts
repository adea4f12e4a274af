import { record } from '../autograd.js';
import { DtypeError, ShapeError } from '../errors.js';
import type { BinaryOp } from '../kernels/elementwise.js';
import { scope } from '../scope.js';
import { broadcastShapes, broadcastStrides, type Shape, sameShape } from '../shape.js';
import { checkTensor, type Operand, Tensor } from '../tensor.js';
import { addScalar, mulScalar, neg, powScalar, reciprocal } from './math.js';
import { commonDevice, sumTo, widen, widened } from './operand.js';

/** `a op b`, broadcast, not recorded. */
function apply(op: BinaryOp, a: Tensor, b: Tensor): Tensor {
  const device = commonDevice(op, a, b);
  const shape = broadcastShapes(a.shape, b.shape, op);
  const y = Tensor.allocate(shape, 'float32', device);
  device.kernels.binary(
    op,
    a.storage.buffer,
    b.storage.buffer,
    y.storage.buffer,
    shape,
    broadcastStrides(a.shape, shape),
    broadcastStrides(b.shape, shape),
  );
  return y;
}

/** `a + b`, broadcast. @throws ShapeError if the shapes do not broadcast */
export function add(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return addScalar(operand(a, 'add'), b);
  if (typeof a === 'number') return addScalar(b, a);
  return widened('add', [a, b], (x, z) =>
    record('add', [x, z], apply('add', x, z), [], (g, { needs }) => [
      needs(0) ? sumTo(g, x.shape) : null,
      needs(1) ? sumTo(g, z.shape) : null,
    ]),
  );
}

/** `a − b`, broadcast. */
export function sub(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return addScalar(operand(a, 'sub'), -b);
  if (typeof a === 'number') return scope(() => addScalar(neg(b), a));
  return widened('sub', [a, b], (x, z) =>
    record('sub', [x, z], apply('sub', x, z), [], (g, { needs }) => [
      needs(0) ? sumTo(g, x.shape) : null,
      needs(1) ? neg(sumTo(g, z.shape)) : null,
    ]),
  );
}

/** `a · b` element by element, broadcast. */
export function mul(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return mulScalar(operand(a, 'mul'), b);
  if (typeof a === 'number') return mulScalar(b, a);
  return widened('mul', [a, b], (x, z) => {
    const saved = [...(z.requiresGrad ? [x] : []), ...(x.requiresGrad ? [z] : [])];
    return record('mul', [x, z], apply('mul', x, z), saved, (g, context) => [
      context.needs(0) ? sumTo(apply('mul', g, context.saved.at(-1)!), x.shape) : null,
      context.needs(1) ? sumTo(apply('mul', g, context.saved[0]!), z.shape) : null,
    ]);
  });
}

/** `a / b`, broadcast. Division by 0 gives ±∞ or NaN, as floats do. */
export function div(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return mulScalar(operand(a, 'div'), 1 / b);
  if (typeof a === 'number') return scope(() => mulScalar(reciprocal(b), a));
  return widened('div', [a, b], (x, z) => {
    const y = apply('div', x, z);
    return record('div', [x, z], y, z.requiresGrad ? [z, y] : [z], (g, { saved, needs }) => {
      const quotient = apply('div', g, saved[0]!); // g / b
      return [
        needs(0) ? sumTo(quotient, x.shape) : null,
        needs(1) ? neg(sumTo(apply('mul', quotient, saved[1]!), z.shape)) : null, // −g/b · a/b
      ];
    });
  });
}

/**
 * `a ** b`, broadcast. The gradient of a tensor exponent is 0 where the base is 0 and the power finite, NaN where the base
 * is negative.
 */
export function pow(a: Operand, b: Operand): Tensor {
  if (typeof b === 'number') return powScalar(operand(a, 'pow'), b);
  return scope(() => {
    const base = typeof a === 'number' ? Tensor.allocate([], 'float32', b.device).fill_(a) : a;
    const [x, z] = [widen(base, 'pow'), widen(b, 'pow')];
    const y = apply('pow', x, z);
    return record('pow', [x, z], y, [x, z, y], (g, { saved, needs }) => {
      const [x, z, y] = saved as [Tensor, Tensor, Tensor];
      return [
        needs(0) ? sumTo(zeroWhereZero(z, g.mul(z).mul(apply('pow', x, z.sub(1)))), x.shape) : null,
        needs(1) ? sumTo(g.mul(y).mul(zeroWhereZero(x, x.log())), z.shape) : null,
      ];
    });
  });
}

/** 0 where x is 0, else y: for products whose other factor is infinite there. */
function zeroWhereZero(x: Tensor, y: Tensor): Tensor {
  const isZero = sub(1, x.sign().abs()).to('uint8'); // 0 for NaN, too
  return select(isZero, asTensor(0, y), y);
}

/** The larger of two, broadcast; NaN is passed on. Equal ones share the gradient, as in PyTorch. */
export function maximum(a: Tensor, b: Tensor): Tensor {
  return extremum('maximum', a, b, 0.5);
}

/** The smaller of two, broadcast; NaN is passed on. Equal ones share the gradient, as in PyTorch. */
export function minimum(a: Tensor, b: Tensor): Tensor {
  return extremum('minimum', a, b, -0.5);
}

function extremum(op: 'maximum' | 'minimum', a: Tensor, b: Tensor, half: number): Tensor {
  return widened(op, [a, b], (x, z) =>
    record(op, [x, z], apply(op, x, z), [x, z], (g, { saved, needs }) => {
      const sign = apply('sub', saved[0]!, saved[1]!).sign(); // 1 where a > b, 0 where equal, NaN for ∞ − ∞:
      const side = sign.to('int32').to('float32'); // 0 for that, too
      return [
        needs(0) ? sumTo(g.mul(side.mul(half).add(0.5)), x.shape) : null,
        needs(1) ? sumTo(g.mul(side.mul(-half).add(0.5)), z.shape) : null,
      ];
    }),
  );
}

/** `condition ? a : b`, broadcast; `condition` is uint8. */
export function where(condition: Tensor, a: Operand, b: Operand): Tensor {
  checkTensor(condition, 'where');
  if (condition.dtype !== 'uint8') {
    throw new DtypeError(`where: the condition must be uint8 (0 is false), got ${condition.dtype}`);
  }
  return scope(() => {
    const [x, z] = [asTensor(a, condition), asTensor(b, condition)];
    return record('where', [x, z], select(condition, x, z), [condition], (g, { saved, needs }) => {
      const zero = asTensor(0, g);
      return [
        needs(0) ? sumTo(select(saved[0]!, g, zero), x.shape) : null,
        needs(1) ? sumTo(select(saved[0]!, zero, g), z.shape) : null,
      ];
    });
  });
}

function select(condition: Tensor, a: Tensor, b: Tensor): Tensor {
  const device = commonDevice('where', condition, a, b);
  const shape = broadcastShapes(condition.shape, broadcastShapes(a.shape, b.shape, 'where'), 'where');
  const y = Tensor.allocate(shape, 'float32', device);
  const strides = (shapeOf: Shape) => broadcastStrides(shapeOf, shape);
  device.kernels.where(
    condition.storage.buffer,
    a.storage.buffer,
    b.storage.buffer,
    y.storage.buffer,
    shape,
    strides(condition.shape),
    strides(a.shape),
    strides(b.shape),
  );
  return y;
}

/** `x` with `value` where `mask` (uint8, broadcast to x) is not 0. */
export function maskedFill(x: Tensor, mask: Tensor, value: number): Tensor {
  return where(mask, value, x);
}

function asTensor(value: Operand, like: Tensor): Tensor {
  if (typeof value !== 'number') return widen(value, 'where');
  return Tensor.allocate([], 'float32', like.device).fill_(value);
}

function operand(a: Operand, who: string): Tensor {
  if (typeof a === 'number') throw new TypeError(`${who}: one of the operands must be a tensor, got two numbers`);
  return a;
}

// In place: for optimizers and gradients. None of them is recorded.

/** `x += alpha · other`, in place; same shape. Returns x. */
export function add_(x: Tensor, other: Tensor, alpha = 1): Tensor {
  x.touch('add_');
  checkTensor(other, 'add_');
  if (x.dtype !== 'float32' || other.dtype !== 'float32') {
    throw new DtypeError(`add_: float32 is expected, got ${x.dtype} and ${other.dtype}`);
  }
  if (!sameShape(x.shape, other.shape)) {
    throw new ShapeError(`add_: both tensors must have one shape: expected [${x.shape}], got [${other.shape}]`);
  }
  commonDevice('add_', x, other).kernels.addScaled(other.storage.buffer, x.storage.buffer, alpha, x.size);
  return x;
}

/** `x *= factor`, in place; a number, or a tensor that broadcasts to x. Returns x. */
export function mul_(x: Tensor, factor: Operand): Tensor {
  x.touch('mul_');
  if (x.dtype !== 'float32') throw new DtypeError(`mul_: float32 is expected, got ${x.dtype}`);
  const { kernels } = x.device;
  const { buffer } = x.storage;
  if (typeof factor === 'number') {
    kernels.unary('mulScalar', buffer, buffer, x.size, factor);
    return x;
  }
  checkTensor(factor, 'mul_');
  if (!sameShape(broadcastShapes(x.shape, factor.shape, 'mul_'), x.shape)) {
    throw new ShapeError(`mul_: the factor must broadcast to x: expected [${x.shape}], got [${factor.shape}]`);
  }
  const strides = broadcastStrides(factor.shape, x.shape);
  kernels.binary('mul', buffer, factor.storage.buffer, buffer, x.shape, broadcastStrides(x.shape, x.shape), strides);
  return x;
}
