import { type Tensor, tensor } from '@burin/tensor';
import { type Case, Unsupported } from '../case.js';
import type { HostTensor } from '../host-tensor.js';
import type { Settings } from '../settings.js';

/** Batch `batch` of a tensor that holds all of them: `[B, T]` of `[batches, B, T]`. */
export function batchOf(c: Case, name: string, batch: number): HostTensor {
  const { shape, data } = c.host(name);
  const size = data.length / shape[0]!;
  return { shape: shape.slice(1), data: data.slice(batch * size, (batch + 1) * size) };
}

/** The same as new tensors, as a language model takes them. */
export function inputOf(c: Case, batch: number): Record<'inputIds' | 'attentionMask' | 'labels', Tensor> {
  const on = (name: string) => {
    const { data, shape } = batchOf(c, name, batch);
    return tensor(data, shape);
  };
  return { inputIds: on('input_ids'), attentionMask: on('attention_mask').to('uint8'), labels: on('labels') };
}

/** @throws Unsupported for batches in another order than round and round, and a learning rate that changes */
export function checkPlan({ config }: Case, optimizer: Settings): void {
  const rule = config.text('step_uses_batch');
  if (rule !== 'step modulo batches') throw new Unsupported(`batches in the order '${rule}'`);
  if (optimizer.text('schedule', 'constant') !== 'constant') throw new Unsupported('a schedule other than constant');
}
