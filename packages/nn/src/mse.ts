import { scope, type Tensor } from '@burin/tensor';
import { type Reduction, reduce } from './reduction.js';
import { checkSameShape } from './same-shape.js';

/**
 * Squared error, `(input − target)²`; both get a gradient.
 *
 * @param input - `[...]`, floating
 * @param target - of the same shape: nothing is broadcast
 * @param options.reduction - default 'mean', over all elements
 * @returns float32: a scalar, or `[...]` with reduction `'none'`
 * @throws ShapeError if the shapes differ
 * @example
 * await mse(tensor([1, 2]), tensor([1, 4])).item(); // 2
 */
export function mse(input: Tensor, target: Tensor, { reduction = 'mean' }: { reduction?: Reduction } = {}): Tensor {
  checkSameShape('mse', ['input', input], ['target', target]);
  return scope(() => reduce(input.sub(target).square(), reduction));
}
