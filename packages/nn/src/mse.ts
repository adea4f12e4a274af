import { scope, type Tensor } from '@burin/tensor';
import { checkLossOptions, type Reduction, reduce } from './reduction.js';
import { checkSameShape } from './same-shape.js';

/**
 * Squared error, `(input − target)²`; both get a gradient.
 *
 * @param input - `[...]`, floating
 * @param target - of the same shape: nothing is broadcast
 * @param options.reduction - default 'mean', over all elements
 * @returns float32: a scalar, or `[...]` with reduction `'none'`
 * @throws ShapeError if the shapes differ; RangeError for an option or a reduction that there is not
 * @example
 * await mse(tensor([1, 2]), tensor([1, 4])).item(); // 2
 */
export function mse(input: Tensor, target: Tensor, options: { reduction?: Reduction } = {}): Tensor {
  checkLossOptions('mse', options, ['reduction']);
  checkSameShape('mse', ['input', input], ['target', target]);
  return scope(() => reduce(input.sub(target).square(), options.reduction ?? 'mean'));
}
