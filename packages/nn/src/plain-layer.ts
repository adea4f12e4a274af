import { type DType, scope, type Tensor, transpose } from '@burin/tensor';
import { Conv1D } from './conv1d.js';
import { Linear, type LinearLike } from './linear.js';
import { Parameter } from './parameter.js';

/**
 * A plain layer in place of another one, with its bias and a frozen weight: a Conv1D where that one is a Conv1D or stands for
 * one, since a checkpoint holds its weight as `[in, out]`, else a Linear.
 *
 * @param layer - in whose place it comes
 * @param weight - makes the weight, float32 `[out, in]`
 * @param dtype - in which the weight is stored. Default float32.
 */
export function plainLayer(layer: LinearLike, weight: () => Tensor, dtype: DType = 'float32'): Linear | Conv1D {
  const { bias, storesTransposed = false, training } = layer;
  const stored = scope(() => (storesTransposed ? transpose(weight(), 0, 1) : weight()).to(dtype));
  const parameter = new Parameter(stored, { requiresGrad: false });
  const plain = storesTransposed ? new Conv1D(parameter, bias) : Linear.from(parameter, bias);
  return plain.train(training);
}
