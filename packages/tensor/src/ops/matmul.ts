import { type BackwardContext, record } from '../autograd.js';
import { DtypeError, ShapeError } from '../errors.js';
import { scope } from '../scope.js';
import { broadcastShapes, sameShape, sizeOf } from '../shape.js';
import { checkTensor, Tensor } from '../tensor.js';
import { expand, reshape } from './movement.js';
import { commonDevice, sumTo, widen, widened } from './operand.js';
import { sum } from './reduction.js';

/** Reads an operand with its last two axes exchanged, without a copy. */
export interface MatmulOptions {
  transposeA?: boolean;
  transposeB?: boolean;
}

interface Product {
  batch: number;
  m: number;
  n: number;
  k: number;
  transposeA: boolean;
  transposeB: boolean;
  aShared: boolean; // one a for the whole batch
  bShared: boolean;
}

/** Runs the kernel into `y`, or into new memory. b may be float16 or bfloat16. */
function run(a: Tensor, b: Tensor, p: Product, y: Tensor, bias: Tensor | null, accumulate: boolean): Tensor {
  a.device.kernels.matmul({
    a: a.storage.buffer,
    b: b.storage.buffer,
    bDtype: b.dtype,
    y: y.storage.buffer,
    bias: bias ? bias.storage.buffer : null,
    batch: p.batch,
    m: p.m,
    n: p.n,
    k: p.k,
    transposeA: p.transposeA,
    transposeB: p.transposeB,
    aStride: p.aShared ? 0 : p.m * p.k,
    bStride: p.bShared ? 0 : p.k * p.n,
    alpha: 1,
    accumulate,
  });
  return y;
}

/**
 * Matrix product over the last two axes, PyTorch's `matmul`: `[..., M, K] × [..., K, N] -> [..., M, N]`; leading axes
 * broadcast; a vector counts as a row on the left and as a column on the right, and that axis is left out of the result:
 * two vectors give a scalar.
 *
 * @throws ShapeError if the inner lengths differ or the leading axes do not broadcast
 */
export function matmul(a: Tensor, b: Tensor, { transposeA = false, transposeB = false }: MatmulOptions = {}): Tensor {
  return scope(() => product(widen(a, 'matmul'), widen(b, 'matmul'), transposeA, transposeB));
}

/** Vectors as matrices of one row or column. */
function product(x: Tensor, z: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  if (x.shape.length === 0 || z.shape.length === 0) {
    throw new ShapeError(`matmul: operands need an axis at least, got [${x.shape}] and [${z.shape}]`);
  }
  if (x.shape.length === 1) {
    const y = product(reshape(x, [1, -1]), z, false, transposeB);
    return reshape(y, y.shape.toSpliced(-2, 1)); // of two vectors the only axis
  }
  if (z.shape.length === 1) {
    const y = product(x, reshape(z, [-1, 1]), transposeA, false);
    return reshape(y, y.shape.slice(0, -1));
  }
  return batched(x, z, transposeA, transposeB);
}

function batched(a: Tensor, b: Tensor, transposeA: boolean, transposeB: boolean): Tensor {
  const [m, k] = lastTwo(a, transposeA);
  const [inner, n] = lastTwo(b, transposeB);
  if (k !== inner) {
    throw new ShapeError(
      `matmul: inner lengths must be equal: expected ${k}, got ${inner} ` +
        `([${a.shape}]${transposeA ? ' transposed' : ''} times [${b.shape}]${transposeB ? ' transposed' : ''})`,
    );
  }
  const lead = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2), 'matmul');
  const batch = sizeOf(lead);
  const x = broadcastLead(a, lead);
  const z = broadcastLead(b, lead);
  const shared = (tensor: Tensor) => sizeOf(tensor.shape.slice(0, -2)) === 1;
  const p: Product = { batch, m, n, k, transposeA, transposeB, aShared: shared(x), bShared: shared(z) };
  const y = Tensor.allocate([...lead, m, n], 'float32', commonDevice('matmul', a, b));
  run(x, z, p, y, null, false);
  const saved = [...(z.requiresGrad ? [x] : []), ...(x.requiresGrad ? [z] : [])];
  return record('matmul', [x, z], y, saved, (g, context) => [
    context.needs(0) ? gradientOfA(g, context.saved.at(-1)!, x, lead, p) : null,
    context.needs(1) ? gradientOfB(g, context.saved[0]!, z, lead, p) : null,
  ]);
}

/** `g · op(b)ᵀ`, stored as a is. */
function gradientOfA(g: Tensor, b: Tensor, a: Tensor, lead: readonly number[], p: Product): Tensor {
  const da = p.transposeA
    ? batchProduct(
        b,
        g,
        {
          ...p,
          m: p.k,
          n: p.m,
          k: p.n,
          transposeA: p.transposeB,
          transposeB: true,
          aShared: p.bShared,
          bShared: false,
        },
        lead,
      )
    : batchProduct(
        g,
        b,
        { ...p, m: p.m, n: p.k, k: p.n, transposeA: false, transposeB: !p.transposeB, aShared: false },
        lead,
      );
  return sumTo(da, a.shape);
}

/** `op(a)ᵀ · g`, stored as b is. */
function gradientOfB(g: Tensor, a: Tensor, b: Tensor, lead: readonly number[], p: Product): Tensor {
  const db = p.transposeB
    ? batchProduct(
        g,
        a,
        {
          ...p,
          m: p.n,
          n: p.k,
          k: p.m,
          transposeA: true,
          transposeB: p.transposeA,
          aShared: false,
          bShared: p.aShared,
        },
        lead,
      )
    : batchProduct(
        a,
        g,
        { ...p, m: p.k, n: p.n, k: p.m, transposeA: !p.transposeA, transposeB: false, bShared: false },
        lead,
      );
  return sumTo(db, b.shape);
}

function batchProduct(a: Tensor, b: Tensor, p: Product, lead: readonly number[]): Tensor {
  return run(a, b, p, Tensor.allocate([...lead, p.m, p.n], 'float32', a.device), null, false);
}

function lastTwo(x: Tensor, transposed: boolean): [number, number] {
  const [rows, cols] = x.shape.slice(-2) as [number, number];
  return transposed ? [cols, rows] : [rows, cols];
}

/** Leading axes as the batch has them, or one matrix for all of it. */
function broadcastLead(x: Tensor, lead: readonly number[]): Tensor {
  const own = x.shape.slice(0, -2);
  if (sameShape(own, lead) || sizeOf(own) === 1) return x;
  return expand(x, [...lead, ...x.shape.slice(-2)]);
}

/**
 * `x · weightᵀ + bias`, PyTorch's `linear`: `[..., in] -> [..., out]`.
 *
 * @param weight - `[out, in]`; float16 and bfloat16 are widened inside the product
 * @param bias - `[out]`, added in the same pass; floating-point
 * @throws ShapeError if the last axis of `x` is not `in`, or the bias is not `[out]`
 */
export function linear(input: Tensor, weight: Tensor, bias: Tensor | null = null): Tensor {
  if (!bias) return widened('linear', [input], (x) => linearOf(x, weight, null));
  return widened('linear', [input, bias], (x, wideBias) => linearOf(x, weight, wideBias));
}

function linearOf(x: Tensor, weight: Tensor, bias: Tensor | null): Tensor {
  checkTensor(weight, 'linear');
  if (weight.dtype === 'int32' || weight.dtype === 'uint8') {
    throw new DtypeError(`linear: the weight must be floating-point, got ${weight.dtype}`);
  }
  const [out, inner] = checkLinear(x, weight, bias);
  const device = commonDevice('linear', x, weight, bias);
  const rows = inner === 0 ? sizeOf(x.shape.slice(0, -1)) : x.size / inner;
  const shared = { batch: 1, aShared: true, bShared: true };
  const y = Tensor.allocate([...x.shape.slice(0, -1), out], 'float32', device);
  run(x, weight, { ...shared, m: rows, n: out, k: inner, transposeA: false, transposeB: true }, y, bias, false);

  const saved = [...(weight.requiresGrad ? [x] : []), ...(x.requiresGrad ? [weight] : [])];
  const inputs = bias ? [x, weight, bias] : [x, weight];
  return record('linear', inputs, y, saved, (g, context) => {
    const dx = target(context, 0, x);
    const dweight = target(context, 1, weight);
    if (dx) {
      const p = { ...shared, m: rows, n: inner, k: out, transposeA: false, transposeB: false };
      run(g, context.saved.at(-1)!, p, dx.tensor, null, dx.accumulate); // g · W
    }
    if (dweight) {
      const p = { ...shared, m: out, n: inner, k: rows, transposeA: true, transposeB: false };
      run(g, context.saved[0]!, p, dweight.tensor, null, dweight.accumulate); // gᵀ · x
    }
    const dbias = bias && context.needs(2) ? sum(reshape(g, [rows, out]), 0) : null;
    return [dx?.tensor ?? null, dweight?.tensor ?? null, dbias].slice(0, inputs.length);
  });
}

/** Where the gradient of input `i` goes: into the one that is there, or into new memory; null if not wanted. */
function target(context: BackwardContext, i: number, input: Tensor): { tensor: Tensor; accumulate: boolean } | null {
  if (!context.needs(i)) return null;
  const into = context.into(i);
  if (into) return { tensor: into, accumulate: true };
  return { tensor: Tensor.allocate(input.shape, 'float32', input.device), accumulate: false };
}

function checkLinear(x: Tensor, weight: Tensor, bias: Tensor | null): [number, number] {
  const [out, inner] = weight.shape as [number, number];
  if (weight.shape.length !== 2 || x.shape.at(-1) !== inner) {
    throw new ShapeError(
      `linear: the last axis of x must have the weight's input length: expected [..., ${inner}], got [${x.shape}] (weight is [${weight.shape}])`,
    );
  }
  if (bias && !sameShape(bias.shape, [out])) {
    throw new ShapeError(`linear: bias must have the weight's output length: expected [${out}], got [${bias.shape}]`);
  }
  return [out, inner];
}
