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
import { Storage } from './storage.js';

/** Host data of a tensor: float16 and bfloat16 are widened to float32. */
export type HostArray = Float32Array | Int32Array | Uint8Array;

/** A second operand: a tensor, broadcast as NumPy does, or a number. */
export type Operand = Tensor | number;

const BRAND = Symbol.for('@burin/tensor');

/**
 * An array on a device: shape, dtype, and a share of device memory. Contiguous and row-major. Operations return new
 * tensors and are enqueued at once and in order; reading waits for them: `await t.data()`.
 *
 * Memory: a tensor made inside `scope(() => ...)` is freed when the scope ends; one made outside lives until
 * `dispose()`. Tensors are made by `tensor`, `zeros`, ... and by operations, not by `new`.
 */
export class Tensor {
  readonly [BRAND] = true;
  readonly shape: Shape;
  readonly dtype: DType;
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

  get device(): Device {
    return this.storage.device;
  }

  /** Number of elements. */
  get size(): number {
    return sizeOf(this.shape);
  }

  get byteLength(): number {
    return this.size * BYTES[this.dtype];
  }

  get isDisposed(): boolean {
    return this.disposed;
  }

  // Reading

  /** A copy of the elements in row-major order, once they are computed. */
  async data(): Promise<HostArray> {
    if (this.dtype === 'float16' || this.dtype === 'bfloat16') {
      const view = this.detach();
      const wide = movement.cast(view, 'float32');
      const reading = wide.data();
      wide.dispose();
      view.dispose();
      return reading;
    }
    const { buffer } = await this.bytes();
    if (this.dtype === 'int32') return new Int32Array(buffer);
    return this.dtype === 'uint8' ? new Uint8Array(buffer) : new Float32Array(buffer);
  }

  /** A copy of the elements as they are stored, little-endian. */
  async bytes(): Promise<Uint8Array<ArrayBuffer>> {
    this.alive('bytes');
    const bytes = await this.device.read(this.storage.buffer, 0, this.byteLength);
    return bytes as Uint8Array<ArrayBuffer>;
  }

  /** The value of a tensor of one element. */
  async item(): Promise<number> {
    if (this.size !== 1) throw new ShapeError(`item: one element is expected, got [${this.shape}]`);
    return (await this.data())[0]!;
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

  // Operations, in PyTorch's names. Each is documented where it is defined: src/ops.

  add(other: Operand): Tensor {
    return arithmetic.add(this, other);
  }
  sub(other: Operand): Tensor {
    return arithmetic.sub(this, other);
  }
  mul(other: Operand): Tensor {
    return arithmetic.mul(this, other);
  }
  div(other: Operand): Tensor {
    return arithmetic.div(this, other);
  }
  pow(exponent: Operand): Tensor {
    return arithmetic.pow(this, exponent);
  }
  maximum(other: Tensor): Tensor {
    return arithmetic.maximum(this, other);
  }
  minimum(other: Tensor): Tensor {
    return arithmetic.minimum(this, other);
  }
  maskedFill(mask: Tensor, value: number): Tensor {
    return arithmetic.maskedFill(this, mask, value);
  }
  neg(): Tensor {
    return math.neg(this);
  }
  abs(): Tensor {
    return math.abs(this);
  }
  sign(): Tensor {
    return math.sign(this);
  }
  exp(): Tensor {
    return math.exp(this);
  }
  log(): Tensor {
    return math.log(this);
  }
  sqrt(): Tensor {
    return math.sqrt(this);
  }
  rsqrt(): Tensor {
    return math.rsqrt(this);
  }
  reciprocal(): Tensor {
    return math.reciprocal(this);
  }
  square(): Tensor {
    return math.square(this);
  }
  sin(): Tensor {
    return math.sin(this);
  }
  cos(): Tensor {
    return math.cos(this);
  }
  tanh(): Tensor {
    return math.tanh(this);
  }
  sigmoid(): Tensor {
    return math.sigmoid(this);
  }
  erf(): Tensor {
    return math.erf(this);
  }
  relu(): Tensor {
    return math.relu(this);
  }
  quickGelu(): Tensor {
    return math.quickGelu(this);
  }
  gelu(options?: { approximate?: 'none' | 'tanh' }): Tensor {
    return math.gelu(this, options);
  }
  silu(beta?: number): Tensor {
    return math.silu(this, beta);
  }
  clampMin(bound: number): Tensor {
    return math.clampMin(this, bound);
  }
  clampMax(bound: number): Tensor {
    return math.clampMax(this, bound);
  }
  sum(axes?: reduction.Axes, keepdim?: boolean): Tensor {
    return reduction.sum(this, axes, keepdim);
  }
  mean(axes?: reduction.Axes, keepdim?: boolean): Tensor {
    return reduction.mean(this, axes, keepdim);
  }
  amax(axes?: reduction.Axes, keepdim?: boolean): Tensor {
    return reduction.amax(this, axes, keepdim);
  }
  amin(axes?: reduction.Axes, keepdim?: boolean): Tensor {
    return reduction.amin(this, axes, keepdim);
  }
  argmax(): Tensor {
    return reduction.argmax(this);
  }
  softmax(axis?: number): Tensor {
    return softmax(this, axis);
  }
  logSoftmax(axis?: number): Tensor {
    return logSoftmax(this, axis);
  }
  matmul(other: Tensor, options?: MatmulOptions): Tensor {
    return matmul(this, other, options);
  }
  reshape(shape: Shape): Tensor {
    return movement.reshape(this, shape);
  }
  flatten(start?: number, end?: number): Tensor {
    return movement.flatten(this, start, end);
  }
  unsqueeze(axis: number): Tensor {
    return movement.unsqueeze(this, axis);
  }
  squeeze(axis: number): Tensor {
    return movement.squeeze(this, axis);
  }
  permute(order: readonly number[]): Tensor {
    return movement.permute(this, order);
  }
  transpose(axis0: number, axis1: number): Tensor {
    return movement.transpose(this, axis0, axis1);
  }
  expand(shape: Shape): Tensor {
    return movement.expand(this, shape);
  }
  narrow(axis: number, start: number, length: number): Tensor {
    return movement.narrow(this, axis, start, length);
  }
  split(length: number, axis?: number): Tensor[] {
    return movement.split(this, length, axis);
  }
  to(dtype: DType): Tensor {
    return movement.cast(this, dtype);
  }

  // In place, never recorded: for optimizers, caches and gradients.

  add_(other: Tensor, alpha?: number): this {
    arithmetic.add_(this, other, alpha);
    return this;
  }
  mul_(factor: Operand): this {
    arithmetic.mul_(this, factor);
    return this;
  }
  copy_(source: Tensor): this {
    movement.copy_(this, source);
    return this;
  }
  fill_(value: number): this {
    movement.fill_(this, value);
    return this;
  }
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
  throw new TypeError(`${who}: a tensor is expected, got ${value === null ? 'null' : typeof value}`);
}
