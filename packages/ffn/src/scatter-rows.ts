import { record, Tensor } from '@burin/tensor';

/**
 * Adds rows to the rows of a new tensor of zeros: `y[ids[i]] += x[i]`, the inverse of `embedding`.
 *
 * @param x - float32 `[M, C]`
 * @param ids - int32 `[M]`, each 0 .. count − 1; rows may repeat
 * @returns `[count, C]`
 */
export function scatterRows(x: Tensor, ids: Tensor, count: number): Tensor {
  const [rows, width] = x.shape as [number, number];
  const { device } = x;
  const y = Tensor.allocate([count, width], 'float32', device).fill_(0);
  device.kernels.scatterAddRows(x.storage.buffer, ids.storage.buffer, y.storage.buffer, rows, count, width, -1);
  return record('scatterRows', [x], y, [ids], (g, { saved }) => {
    const dx = Tensor.allocate([rows, width], 'float32', device);
    const index = saved[0]!.storage.buffer;
    device.kernels.gatherRows(g.storage.buffer, 'float32', index, dx.storage.buffer, rows, count, width);
    return [dx];
  });
}
