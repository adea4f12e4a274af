import { Conv1D, Linear, type LinearLike, Parameter } from '@burin/nn';
import { scope, type Tensor, transpose } from '@burin/tensor';

/**
 * A plain layer like `base`, and with its bias, that has another weight: a Conv1D stays one, since a checkpoint holds its
 * weight as `[in, out]`. The dtype is the base's; a 4-bit base gives float32.
 *
 * @param weight - makes the weight, float32 `[out, in]`
 */
export function mergedLayer(base: LinearLike, weight: () => Tensor): Linear | Conv1D {
  const isTransposed = base.storesTransposed === true;
  const dtype = base instanceof Linear || base instanceof Conv1D ? base.weight.dtype : 'float32';
  const stored = scope(() => (isTransposed ? transpose(weight(), 0, 1) : weight()).to(dtype));
  const parameter = new Parameter(stored, { requiresGrad: false });
  const layer = isTransposed ? new Conv1D(parameter, base.bias) : Linear.from(parameter, base.bias);
  return layer.train(base.training);
}
