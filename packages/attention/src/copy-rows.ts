import { Tensor } from '@burin/tensor';

/** Row `order[i]` of x at i, in new memory. Of each row the first `bytes` are copied; what is behind them is not read. */
export function copyRows(x: Tensor, order: ArrayLike<number>, bytes: number): Tensor {
  const [batch, ...rest] = x.shape as [number, ...number[]];
  const y = Tensor.allocate([order.length, ...rest], x.dtype, x.device);
  const rowBytes = x.byteLength / batch;
  for (let row = 0; bytes > 0 && row < order.length; row++) {
    x.device.kernels.copy(x.storage.buffer, order[row]! * rowBytes, y.storage.buffer, row * rowBytes, bytes);
  }
  return y;
}

/** Whether each row stays where it is. */
export function isIdentity(order: ArrayLike<number>, batch: number): boolean {
  return order.length === batch && Array.from(order).every((from, to) => from === to);
}
