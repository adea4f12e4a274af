import { Tensor } from '@burin/tensor';

/**
 * A tensor that a model learns. It takes over the memory of the tensor that it is made from, belongs to no scope, and
 * lives until `dispose()`. `requiresGrad = false` freezes it.
 *
 * @example
 * this.scale = new Parameter(ones([64])); // a field of a module
 */
export class Parameter extends Tensor {
  constructor(tensor: Tensor, { requiresGrad = true }: { requiresGrad?: boolean } = {}) {
    super(tensor.storage.retain(), tensor.shape, tensor.dtype, null);
    tensor.dispose();
    this.requiresGrad = requiresGrad;
  }
}
