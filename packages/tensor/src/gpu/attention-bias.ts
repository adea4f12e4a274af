import type { DeviceBuffer } from '../device.js';
import type { AttentionArguments } from '../kernels/attention.js';
import type { Block } from './attention-block.js';
import { biasGradient } from './attention-kernels.js';
import type { Memory, Workspace } from './heads.js';
import { view } from './launcher.js';
import { gather, scatter } from './movement.js';

/** `dbias += ds`: a stride of 0 repeats the bias along an axis, whose gradients go to one place. */
export function addBiasGradient(
  work: Workspace,
  { batch, heads, biasStrides }: AttentionArguments,
  { start, firstKey, rows, columns }: Block,
  dbias: DeviceBuffer,
  ds: Memory,
): void {
  const { batch: perBatch, head: perHead, token: perQuery } = biasStrides;
  const [batches, biasHeads, queries] = [perBatch ? batch : 1, perHead ? heads : 1, perQuery ? rows : 1];
  const shape = [batches, biasHeads, queries, columns];
  const strides = [perBatch, perHead, perQuery, 1];
  const first = start * perQuery + firstKey;
  const sum = work.take(batches * biasHeads * queries * columns);
  gather(work.launcher, dbias, sum, shape, strides, first);
  const inputs = [view(sum, columns, queries), view(ds, columns, rows)];
  const repeats = [batch / batches, heads / biasHeads, rows / queries];
  work.launcher.launch(biasGradient, sum, [columns, queries, batches * biasHeads], inputs, [
    biasHeads,
    heads,
    ...repeats,
  ]);
  scatter(work.launcher, sum, dbias, shape, strides, first);
}
