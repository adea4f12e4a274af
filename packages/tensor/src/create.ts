import { type DeviceLike, resolveDevice } from './devices.js';
import { BYTES, checkDtype, type DType, isFloating } from './dtype.js';
import { DtypeError, ShapeError } from './errors.js';
import { cast } from './ops/movement.js';
import { checkedShape, type Shape, sizeOf } from './shape.js';
import { Storage } from './storage.js';
import { Tensor } from './tensor.js';

/** What a new tensor can be told. */
export interface TensorOptions {
  /** Left out: int32 and uint8 for their typed arrays, else float32. */
  dtype?: DType;
  /** Left out: that of `setDefaultDevice`, which is the CPU unless told otherwise. */
  device?: DeviceLike;
  /** Whether a backward pass computes its gradient. Default false. */
  requiresGrad?: boolean;
}

/** Numbers nested as deep as the tensor has axes. */
export type NestedNumbers = number | readonly NestedNumbers[];

type TypedArray = Float32Array | Float64Array | Int32Array | Uint8Array;

/**
 * A tensor of host data, copied.
 *
 * @param data - a number, nested arrays, or a flat or typed array
 * @param shape - left out: that of the nesting
 * @throws ShapeError if the data do not fill the shape, or the nesting is ragged
 * @throws RangeError if an int32 or uint8 tensor is given a value it cannot hold
 * @example
 * tensor([[1, 2], [3, 4]]); // [2, 2], float32
 * tensor(new Int32Array([5, 6, 7, 8]), [2, 2]); // [2, 2], int32
 */
export function tensor(data: NestedNumbers | TypedArray, shape?: Shape, options: TensorOptions = {}): Tensor {
  const inferred: number[] = [];
  const flat = isTypedArray(data) ? data : Float64Array.from(flattenNested(data, inferred));
  if (isTypedArray(data)) inferred.push(data.length);
  const to = checkedShape(shape ?? inferred, 'tensor');
  if (sizeOf(to) !== flat.length) {
    throw new ShapeError(`tensor: [${to}] holds ${sizeOf(to)} elements, got ${flat.length}`);
  }
  const made = fromHost(flat, to, options.dtype ?? dtypeOf(data), options.device);
  return withGradient(made, options);
}

function fromHost(values: TypedArray, shape: Shape, dtype: DType, device: DeviceLike | undefined): Tensor {
  checkDtype(dtype, 'tensor');
  const stored = dtype === 'float16' || dtype === 'bfloat16' ? 'float32' : dtype;
  const host = convert(values, stored);
  const made = Tensor.allocate(shape, stored, resolveDevice(device));
  made.device.write(made.storage.buffer, new Uint8Array(host.buffer, host.byteOffset, host.byteLength));
  if (stored === dtype) return made;
  const narrow = cast(made, dtype);
  made.dispose();
  return narrow;
}

function convert(values: TypedArray, dtype: DType): Float32Array | Int32Array | Uint8Array {
  if (dtype === 'float32') return values instanceof Float32Array ? values : Float32Array.from(values);
  const integers = dtype === 'int32' ? Int32Array.from(values) : Uint8Array.from(values);
  for (let i = 0; i < values.length; i++) {
    if (integers[i] !== values[i]) {
      throw new RangeError(`tensor: ${dtype} holds whole numbers of its range, got ${values[i]} at ${i}`);
    }
  }
  return integers;
}

function dtypeOf(data: unknown): DType {
  if (data instanceof Int32Array) return 'int32';
  return data instanceof Uint8Array ? 'uint8' : 'float32';
}

function isTypedArray(data: unknown): data is TypedArray {
  if (!ArrayBuffer.isView(data)) return false;
  const known = [Float32Array, Float64Array, Int32Array, Uint8Array].some((kind) => data instanceof kind);
  if (!known) {
    throw new DtypeError(
      `tensor: expected Float32Array, Float64Array, Int32Array, Uint8Array or numbers, got ${data.constructor.name}`,
    );
  }
  return true;
}

/** Elements in order; fills `shape` with the length of each level. */
function flattenNested(data: NestedNumbers, shape: number[], depth = 0, flat: number[] = []): number[] {
  if (typeof data === 'number') {
    if (depth !== shape.length) throw new ShapeError(`tensor: the nesting is ragged at depth ${depth}`);
    flat.push(data);
    return flat;
  }
  if (!Array.isArray(data))
    throw new TypeError(`tensor: expected numbers, got ${data === null ? 'null' : typeof data}`);
  if (flat.length === 0 && shape.length === depth) shape.push(data.length);
  if (shape[depth] !== data.length) {
    throw new ShapeError(
      `tensor: the nesting is ragged: expected ${shape[depth] ?? 'a number'} at depth ${depth}, got ${data.length}`,
    );
  }
  for (const item of data as readonly NestedNumbers[]) flattenNested(item, shape, depth + 1, flat);
  return flat;
}

/** A tensor of `value`. */
export function full(shape: Shape, value: number, options: TensorOptions = {}): Tensor {
  const to = checkedShape(shape, 'full');
  const { dtype = 'float32' } = options;
  checkDtype(dtype, 'full');
  const made = Tensor.allocate(to, dtype, resolveDevice(options.device));
  return withGradient(made.fill_(value), options);
}

/** A tensor of zeros. */
export function zeros(shape: Shape, options: TensorOptions = {}): Tensor {
  return full(shape, 0, options);
}

/** A tensor of ones. */
export function ones(shape: Shape, options: TensorOptions = {}): Tensor {
  return full(shape, 1, options);
}

/**
 * A tensor that holds nothing yet: memory is taken when it is first read or written, and its contents are arbitrary until
 * it is filled. For weights that a file will fill, or that are replaced before.
 */
export function empty(shape: Shape, options: TensorOptions = {}): Tensor {
  const to = checkedShape(shape, 'empty');
  const { dtype = 'float32' } = options;
  checkDtype(dtype, 'empty');
  const storage = new Storage(resolveDevice(options.device), sizeOf(to) * BYTES[dtype], dtype, { deferred: true });
  return withGradient(new Tensor(storage, to, dtype), options);
}

/** `start, start + step, ...` below `end`, int32 unless told otherwise. */
export function arange(start: number, end: number, step = 1, options: TensorOptions = {}): Tensor {
  const count = Math.max(0, Math.ceil((end - start) / step));
  if (!Number.isFinite(count)) throw new RangeError(`arange: ${start} to ${end} by ${step} has no end`);
  const values = Float64Array.from({ length: count }, (_, i) => start + i * step);
  return tensor(values, [count], { dtype: 'int32', ...options });
}

/**
 * A tensor of bytes as they are stored, little-endian: how checkpoints are read.
 *
 * @throws ShapeError if `bytes` is not as long as the shape and dtype ask for
 */
export function fromBytes(
  bytes: Uint8Array,
  shape: Shape,
  dtype: DType,
  options: Omit<TensorOptions, 'dtype'> = {},
): Tensor {
  const to = checkedShape(shape, 'fromBytes');
  checkDtype(dtype, 'fromBytes');
  const expected = sizeOf(to) * BYTES[dtype];
  if (bytes.byteLength !== expected) {
    throw new ShapeError(`fromBytes: ${dtype} [${shape}] takes ${expected} bytes, got ${bytes.byteLength}`);
  }
  const made = Tensor.allocate(to, dtype, resolveDevice(options.device));
  made.device.write(made.storage.buffer, bytes);
  return withGradient(made, options);
}

/**
 * A copy of a tensor on another device, or on the same one; the gradient does not flow through it.
 *
 * @throws DeviceError as `resolveDevice`
 * @example
 * const there = await toDevice(here, await gpu());
 */
export async function toDevice(source: Tensor, device: DeviceLike): Promise<Tensor> {
  const target = resolveDevice(device);
  const { shape, dtype, requiresGrad } = source;
  return fromBytes(await source.bytes(), shape, dtype, { device: target, requiresGrad });
}

function withGradient(made: Tensor, { requiresGrad = false }: TensorOptions): Tensor {
  if (requiresGrad && !isFloating(made.dtype)) {
    made.dispose();
    throw new DtypeError(`requiresGrad: only floating-point tensors have gradients, got ${made.dtype}`);
  }
  made.requiresGrad = requiresGrad;
  return made;
}
