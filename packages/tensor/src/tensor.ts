import { backward, type Node, releaseNode } from './autograd.js';
import type { Device } from './device.js';
import { BYTES, type DType } from './dtype.js';
import { LifetimeError, ShapeError } from './errors.js';
import * as arithmetic from './ops/arithmetic.js';
import * as math from './ops/math.js';
import { type MatmulOptions, matmul } from './ops/matmul.js';
import * as movement from './ops/movement.js';
import * as reduction from './ops/reduction.js';
import { logSoftmax, softmax } from './ops/softmax.js';
import { currentScope, type Scope } from './scope.js';
import { type Shape, sizeOf } from './shape.js';
import { show } from './show.js';
import { Storage } from './storage.js';

/** Host data of a tensor: float16 and bfloat16 are widened to float32. */
export type HostArray = Float32Array | Int32Array | Uint8Array;

/** Bytes in memory of their own: `Uint8Array<ArrayBuffer>`, in words that TypeScript before 5.7 knows too. */
type OwnBytes = ReturnType<typeof Uint8Array.of>;

/** A second operand: a tensor, broadcast as NumPy does, or a number. */
export type Operand = Tensor | number;

const BRAND = Symbol.for('@burin/tensor');

/** What Node's `console.log` calls. */
const INSPECT = Symbol.for('nodejs.util.inspect.custom');

/**
 * An array on a device: shape, dtype, and a share of device memory. Contiguous and row-major. Operations return new
 * tensors and are enqueued at once and in order; reading waits for them: `await t.data()`.
 *
 * Memory: a tensor made inside `scope(() => ...)` is freed when the scope ends; one made outside lives until
 * `dispose()`. Tensors are made by `tensor`, `zeros`, ... and by operations, not by `new`.
 */
export class Tensor {
  readonly [BRAND] = true;
  /** Lengths of the axes; `[]` of a scalar. */
  readonly shape: Shape;
  /** How elements are stored. Compute is float32. */
  readonly dtype: DType;
  /** Memory that it may share with other tensors: for operations. */
  readonly storage: Storage;
  /** Whether a backward pass computes a gradient for this tensor, or passes one on to what it was made from. */
  requiresGrad = false;
  /** The gradient of a leaf, added to by each backward pass; null before the first. */
  grad: Tensor | null = null;
  /** The operation that made this tensor, where it was recorded. */
  node: Node | null = null;
  /** The scope that frees this tensor; null where nobody but `dispose()` does. */
  scope: Scope | null;
  private disposed = false;

  /** Takes over one reference to `storage`. */
  constructor(storage: Storage, shape: Shape, dtype: DType, scope: Scope | null = currentScope()) {
    this.storage = storage;
    this.shape = shape;
    this.dtype = dtype;
    this.scope = scope;
    scope?.tensors.push(this);
  }

  /** Uninitialised memory: for operations, which fill it. */
  static allocate(shape: Shape, dtype: DType, device: Device): Tensor {
    return new Tensor(new Storage(device, sizeOf(shape) * BYTES[dtype], dtype), shape, dtype);
  }

  /** Where the elements lie. */
  get device(): Device {
    return this.storage.device;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  /** Bytes that the elements take. */
  get byteLength(): number {
    return this.size * BYTES[this.dtype];
  }

  /** Whether `dispose()` was called, or its scope ended: it can be used no more. */
  get isDisposed(): boolean {
    return this.disposed;
  }

  // Reading

  /** A copy of the elements in row-major order, once they are computed. */
  async data(): Promise<HostArray> {
    if (this.dtype === 'float16' || this.dtype === 'bfloat16') {
      const view = this.detach();
      try {
        const wide = movement.cast(view, 'float32');
        const reading = wide.data();
        wide.dispose();
        return reading;
      } finally {
        view.dispose();
      }
    }
    const { buffer } = await this.bytes();
    if (this.dtype === 'int32') return new Int32Array(buffer);
    return this.dtype === 'uint8' ? new Uint8Array(buffer) : new Float32Array(buffer);
  }

  /** A copy of the elements as they are stored, little-endian. */
  async bytes(): Promise<OwnBytes> {
    this.alive('bytes');
    const bytes = await this.device.read(this.storage.buffer, 0, this.byteLength);
    return bytes as OwnBytes;
  }

  /** The value of a tensor of one element. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError(`item: one element is expected, got [${this.shape}]`);
    return (await this.data())[0]!;
  }

  /** One line, for example `Tensor [2, 2] float32 on cpu: 1, 2, 3, 4`; the elements come from {@link data}. */
  toString(): string {
    return show(this);
  }

  /** @internal */
  [INSPECT](): string {
    return show(this);
  }

  // Memory

  /** Frees this tensor's share of memory and of the recorded graph. A second call does nothing. */
  dispose(): void {
    if (this.disposed) return;
    this.disposed = true;
    this.storage.release();
    if (this.node) releaseNode(this.node);
  }

  /** Another handle to the same memory, outside the graph and outside every scope. */
  alias(): Tensor {
    this.alive('alias');
    return new Tensor(this.storage.retain(), this.shape, this.dtype, null);
  }

  /** The same memory outside the graph: no gradient flows through the result. */
  detach(): Tensor {
    this.alive('detach');
    return new Tensor(this.storage.retain(), this.shape, this.dtype);
  }

  /** A copy in memory of its own; gradients flow through it. */
  clone(): Tensor {
    return movement.clone(this);
  }

  /** Throws unless the memory is still there; `who` is the operation that wants it. */
  alive(who: string): void {
    if (!this.disposed) return;
    throw new LifetimeError(
      `${who}: a tensor of shape [${this.shape}] is used after it was freed; return it from its scope, or keep() it`,
    );
  }

  /** Marks a change in place. */
  touch(who: string): void {
    this.alive(who);
    if (this.node) {
      throw new LifetimeError(
        `${who}: a tensor that an operation recorded is not changed in place; use the operation that returns a new one`,
      );
    }
    this.storage.version++;
  }

  // Gradients

  /** Adds the gradient of this tensor with respect to each leaf to that leaf's `grad`. See {@link backward}. */
  backward(gradient?: Tensor, options?: { retainGraph?: boolean }): void {
    backward(this, gradient, options);
  }

  /** Frees the gradient. */
  zeroGrad(): void {
    this.grad?.dispose();
    this.grad = null;
  }

  // Operations, in PyTorch's names. Each is documented in full where it is defined: src/ops.

  /** `this + other`, broadcast. */
  add(other: Operand): Tensor {
    return arithmetic.add(this, other);
  }
  /** `this − other`, broadcast. */
  sub(other: Operand): Tensor {
    return arithmetic.sub(this, other);
  }
  /** `this · other` element by element, broadcast. */
  mul(other: Operand): Tensor {
    return arithmetic.mul(this, other);
  }
  /** `this / other`, broadcast. */
  div(other: Operand): Tensor {
    return arithmetic.div(this, other);
  }
  /** `this ** exponent`, broadcast. */
  pow(exponent: Operand): Tensor {
    return arithmetic.pow(this, exponent);
  }
  /** The larger of two, broadcast. */
  maximum(other: Tensor): Tensor {
    return arithmetic.maximum(this, other);
  }
  /** The smaller of two, broadcast. */
  minimum(other: Tensor): Tensor {
    return arithmetic.minimum(this, other);
  }
  /** `value` where `mask` (uint8, broadcast) is not 0. */
  maskedFill(mask: Tensor, value: number): Tensor {
    return arithmetic.maskedFill(this, mask, value);
  }
  /** `−x` */
  neg(): Tensor {
    return math.neg(this);
  }
  /** `|x|` */
  abs(): Tensor {
    return math.abs(this);
  }
  /** −1, 0 or 1. No gradient. */
  sign(): Tensor {
    return math.sign(this);
  }
  /** `eˣ` */
  exp(): Tensor {
    return math.exp(this);
  }
  /** The natural logarithm. */
  log(): Tensor {
    return math.log(this);
  }
  /** `√x` */
  sqrt(): Tensor {
    return math.sqrt(this);
  }
  /** `1 / √x` */
  rsqrt(): Tensor {
    return math.rsqrt(this);
  }
  /** `1 / x` */
  reciprocal(): Tensor {
    return math.reciprocal(this);
  }
  /** `x²` */
  square(): Tensor {
    return math.square(this);
  }
  /** The sine; x in radians. */
  sin(): Tensor {
    return math.sin(this);
  }
  /** The cosine; x in radians. */
  cos(): Tensor {
    return math.cos(this);
  }
  /** The hyperbolic tangent. */
  tanh(): Tensor {
    return math.tanh(this);
  }
  /** `1 / (1 + e⁻ˣ)` */
  sigmoid(): Tensor {
    return math.sigmoid(this);
  }
  /** The error function. */
  erf(): Tensor {
    return math.erf(this);
  }
  /** `max(x, 0)` */
  relu(): Tensor {
    return math.relu(this);
  }
  /** `x · sigmoid(1.702 · x)` */
  quickGelu(): Tensor {
    return math.quickGelu(this);
  }
  /** `x · Φ(x)`, or the formula of GPT-2 with `approximate: 'tanh'`. */
  gelu(options?: { approximate?: 'none' | 'tanh' }): Tensor {
    return math.gelu(this, options);
  }
  /** `x · sigmoid(beta · x)`; beta is 1 unless told otherwise. */
  silu(beta?: number): Tensor {
    return math.silu(this, beta);
  }
  /** `max(x, bound)` */
  clampMin(bound: number): Tensor {
    return math.clampMin(this, bound);
  }
  /** `min(x, bound)` */
  clampMax(bound: number): Tensor {
    return math.clampMax(this, bound);
  }
  /** The sum over `axes`, or over all. */
  sum(axes?: reduction.Axes, keepdim?: boolean): Tensor {
    return reduction.sum(this, axes, keepdim);
  }
  /** The mean over `axes`, or over all. */
  mean(axes?: reduction.Axes, keepdim?: boolean): Tensor {
    return reduction.mean(this, axes, keepdim);
  }
  /** The largest element over `axes`, or of all. */
  amax(axes?: reduction.Axes, keepdim?: boolean): Tensor {
    return reduction.amax(this, axes, keepdim);
  }
  /** The smallest element over `axes`, or of all. */
  amin(axes?: reduction.Axes, keepdim?: boolean): Tensor {
    return reduction.amin(this, axes, keepdim);
  }
  /** int32 index of the first largest element along the last axis. */
  argmax(): Tensor {
    return reduction.argmax(this);
  }
  /** Shares along `axis` (the last) that sum to 1. */
  softmax(axis?: number): Tensor {
    return softmax(this, axis);
  }
  /** The logarithm of `softmax`. */
  logSoftmax(axis?: number): Tensor {
    return logSoftmax(this, axis);
  }
  /** The product of matrices, batched over leading axes: `[..., M, K]` times `[..., K, N]`. */
  matmul(other: Tensor, options?: MatmulOptions): Tensor {
    return matmul(this, other, options);
  }
  /** The same elements and memory under another shape; one length may be -1. */
  reshape(shape: Shape): Tensor {
    return movement.reshape(this, shape);
  }
  /** Joins the axes from `start` (0) to `end` (the last), which is included. */
  flatten(start?: number, end?: number): Tensor {
    return movement.flatten(this, start, end);
  }
  /** A new axis of length 1 before `axis`. */
  unsqueeze(axis: number): Tensor {
    return movement.unsqueeze(this, axis);
  }
  /** Without `axis`, whose length must be 1. */
  squeeze(axis: number): Tensor {
    return movement.squeeze(this, axis);
  }
  /** Axes in another order, copied. */
  permute(order: readonly number[]): Tensor {
    return movement.permute(this, order);
  }
  /** Two axes exchanged, copied. */
  transpose(axis0: number, axis1: number): Tensor {
    return movement.transpose(this, axis0, axis1);
  }
  /** Axes of length 1 repeated, copied; -1 keeps a length. */
  expand(shape: Shape): Tensor {
    return movement.expand(this, shape);
  }
  /** `length` neighbours along `axis` from `start`, copied. */
  narrow(axis: number, start: number, length: number): Tensor {
    return movement.narrow(this, axis, start, length);
  }
  /** Pieces of `length` along `axis` (0), the last one perhaps shorter, copied. */
  split(length: number, axis?: number): Tensor[] {
    return movement.split(this, length, axis);
  }
  /** The same values as another dtype; this tensor where that is its own. To another device: `await toDevice(t, device)`. */
  to(dtype: DType): Tensor {
    return movement.cast(this, dtype);
  }

  // In place, never recorded: for optimizers, caches and gradients.

  /** `this += alpha · other`, of the same shape; alpha is 1 unless told otherwise. */
  add_(other: Tensor, alpha?: number): this {
    arithmetic.add_(this, other, alpha);
    return this;
  }
  /** `this *= factor`, broadcast to this shape. */
  mul_(factor: Operand): this {
    arithmetic.mul_(this, factor);
    return this;
  }
  /** Overwrites the elements with those of `source`: same shape; converted to this dtype. */
  copy_(source: Tensor): this {
    movement.copy_(this, source);
    return this;
  }
  /** Sets every element. */
  fill_(value: number): this {
    movement.fill_(this, value);
    return this;
  }
  /** Writes `source` along `axis` from `start`. */
  assign_(source: Tensor, axis: number, start: number): this {
    movement.assign_(this, source, axis, start);
    return this;
  }
}

/** Whether `value` is a Tensor, also one of another copy of this package. */
export function isTensor(value: unknown): value is Tensor {
  return typeof value === 'object' && value !== null && BRAND in value;
}

/**
 * Checks an operand: a live tensor of this copy of the package, on a device.
 *
 * @throws TypeError if it is no tensor, or comes from a second copy of @burin/tensor
 */
export function checkTensor(value: unknown, who: string): asserts value is Tensor {
  if (value instanceof Tensor) return value.alive(who);
  if (isTensor(value)) {
    throw new TypeError(
      `${who}: this tensor was made by a second copy of @burin/tensor; install one version only (npm ls @burin/tensor)`,
    );
  }
  const got = Array.isArray(value)
    ? 'an array; make a tensor of it: tensor(...)'
    : value === null
      ? 'null'
      : typeof value;
  throw new TypeError(`${who}: a tensor is expected, got ${got}`);
}
