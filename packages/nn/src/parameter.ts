import { checkTensor, DtypeError, isFloating, Tensor } from '@burin/tensor';

/**
 * A tensor that a model learns. It takes over the memory of the tensor that it is made from, belongs to no scope, and
 * lives until `dispose()`. `requiresGrad = false` freezes it.
 *
 * @example
 * this.scale = new Parameter(ones([64])); // a field of a module
 */
export class Parameter extends Tensor {
  /** @throws DtypeError if it is to be trained and is not floating; LifetimeError if the tensor was freed */
  constructor(tensor: Tensor, { requiresGrad = true }: { requiresGrad?: boolean } = {}) {
    checkTensor(tensor, 'Parameter');
    tensor.alive('Parameter');
    if (requiresGrad && !isFloating(tensor.dtype)) {
      throw new DtypeError(`Parameter: only floating-point tensors are learned, got ${tensor.dtype}`);
    }
    super(tensor.storage.retain(), tensor.shape, tensor.dtype, null);
    tensor.dispose();
    this.requiresGrad = requiresGrad;
  }
}
