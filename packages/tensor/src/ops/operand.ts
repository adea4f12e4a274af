import type { Device } from '../device.js';
import { DeviceError, DtypeError } from '../errors.js';
import { scope } from '../scope.js';
import { broadcastStrides, type Shape, sameShape } from '../shape.js';
import { checkTensor, type Tensor } from '../tensor.js';

/** `x` as float32: itself, or widened if it is stored as float16 or bfloat16. */
export function widen(x: Tensor, who: string): Tensor {
  checkTensor(x, who);
  if (x.dtype === 'float32') return x;
  if (x.dtype === 'float16' || x.dtype === 'bfloat16') return x.to('float32');
  throw new DtypeError(`${who}: a floating-point tensor is expected, got ${x.dtype}; convert it with .to('float32')`);
}

/** Runs `body` on operands made float32; what widening made is freed with it. */
export function widened<T extends readonly Tensor[]>(who: string, operands: T, body: (...wide: T) => Tensor): Tensor {
  for (const operand of operands) {
    checkTensor(operand, who);
    if (operand.dtype === 'float32') continue;
    return scope(() => body(...(operands.map((x) => widen(x, who)) as readonly Tensor[] as T)));
  }
  return body(...operands);
}

/** The device that all operands are on. */
export function commonDevice(who: string, ...tensors: readonly (Tensor | null | undefined)[]): Device {
  let device: Device | null = null;
  for (const tensor of tensors) {
    if (!tensor) continue;
    device ??= tensor.device;
    if (tensor.device !== device) {
      throw new DeviceError(
        `${who}: all tensors must be on one device: got ${device.name} and ${tensor.device.name}; move one with await toDevice(tensor, device)`,
      );
    }
  }
  return device!;
}

/** Sums a gradient over the axes that broadcasting repeated, back to `shape`. */
export function sumTo(g: Tensor, shape: Shape): Tensor {
  if (sameShape(g.shape, shape)) return g;
  const strides = broadcastStrides(shape, g.shape);
  const repeated = g.shape.flatMap((length, axis) => (strides[axis] === 0 && length !== 1 ? [axis] : []));
  const summed = repeated.length > 0 ? g.sum(repeated, true) : g;
  return summed.reshape(shape);
}
