import { record } from '../autograd.js';
import { checkInt32 } from '../dtype.js';
import { ShapeError } from '../errors.js';
import { checkTensor, Tensor } from '../tensor.js';
import { commonDevice } from './operand.js';

/**
 * Rows of a table: `table[ids]`, PyTorch's `embedding`: ids `[...]` -> `[..., C]`.
 *
 * @param table - `[V, C]`, float32, float16 or bfloat16
 * @param ids - int32; the caller has checked that they are in 0 .. V − 1 (a device cannot say so at once)
 * @param options.paddingIndex - rows read for this id give the table no gradient
 */
export function embedding(table: Tensor, ids: Tensor, { paddingIndex = -1 }: { paddingIndex?: number } = {}): Tensor {
  checkTensor(table, 'embedding');
  checkTensor(ids, 'embedding');
  if (table.shape.length !== 2) throw new ShapeError(`embedding: the table must be [V, C], got [${table.shape}]`);
  checkInt32('embedding: ids', ids);
  const [rows, cols] = table.shape as [number, number];
  const { kernels } = commonDevice('embedding', table, ids);
  const y = Tensor.allocate([...ids.shape, cols], 'float32', table.device);
  kernels.gatherRows(table.storage.buffer, table.dtype, ids.storage.buffer, y.storage.buffer, ids.size, rows, cols);
  return record('embedding', [table], y, [ids], (g, { saved, into }) => {
    const dtable = into(0) ?? Tensor.allocate(table.shape, 'float32', table.device).fill_(0);
    const index = saved[0]!.storage.buffer;
    kernels.scatterAddRows(g.storage.buffer, index, dtable.storage.buffer, ids.size, rows, cols, paddingIndex);
    return [dtable];
  });
}
