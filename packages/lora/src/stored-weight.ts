import type { LinearLike } from '@burin/nn';

/** Whether a Linear holds its weight as a parameter of floats, and not packed in 4 bits. */
export function hasFloatWeight(layer: LinearLike): boolean {
  const size = layer.inFeatures * layer.outFeatures;
  return layer.parameters().some((parameter) => parameter !== layer.bias && parameter.size === size);
}
