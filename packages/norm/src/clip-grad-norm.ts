import { checkOptions, checkParameters, checkTensor, commonDevice, scope, type Tensor, zeros } from '@burin/tensor';
import { checkOrder, type NormOrder, vectorNorm } from './vector-norm.js';

/** Which norm of the gradients. */
export interface GradNormOptions {
  /** Default 2. */
  ord?: NormOrder;
}

/**
 * The norm of all gradients together, as if they were one vector. Stays on the device: nothing is read back.
 *
 * @param parameters - those without a gradient do not count; one that comes twice counts once
 * @returns a scalar tensor; 0 where there is no gradient
 * @throws RangeError if `ord` is not 1, 2 or Infinity, or an option is none; TypeError if `parameters` are no tensors
 */
export function gradNorm(parameters: Iterable<Tensor>, options: GradNormOptions = {}): Tensor {
  const ord = orderOf('gradNorm', options);
  return normOf(gradientsOf('gradNorm', parameters), ord);
}

/**
 * Scales all gradients in place so that their common norm is at most `maxNorm`, PyTorch's `clip_grad_norm_`.
 *
 *     grad *= min(1, maxNorm / (norm + 1e-6))
 *
 * The factor is computed on the device, so a training step need not wait. A norm of NaN makes the gradients NaN; one of
 * Infinity makes those that are finite 0, as in PyTorch: look at the returned norm before the optimizer's step.
 *
 * @returns the norm before clipping, a scalar tensor
 * @throws RangeError if `maxNorm` is not greater than 0, `ord` is not 1, 2 or Infinity, or an option is none; TypeError if
 *   `parameters` are no tensors
 */
export function clipGradNorm_(parameters: Iterable<Tensor>, maxNorm: number, options: GradNormOptions = {}): Tensor {
  const ord = orderOf('clipGradNorm_', options);
  if (!(maxNorm > 0)) throw new RangeError(`clipGradNorm_: maxNorm must be greater than 0, got ${maxNorm}`);
  const gradients = gradientsOf('clipGradNorm_', parameters);
  const norm = normOf(gradients, ord);
  if (maxNorm === Infinity) return norm;
  scope(() => {
    const factor = norm.add(1e-6).reciprocal().mul(maxNorm).clampMax(1);
    for (const gradient of gradients) gradient.mul_(factor);
  });
  return norm;
}

function orderOf(who: string, options: GradNormOptions): NormOrder {
  checkOptions(who, options, ['ord']);
  const { ord = 2 } = options;
  checkOrder(who, ord);
  return ord;
}

/** What is passed over would not be clipped: names beside the parameters, or a model in their place, are errors. */
function gradientsOf(who: string, parameters: Iterable<Tensor>): Tensor[] {
  checkParameters(who, parameters);
  return [...new Set(parameters)].flatMap((parameter) => {
    checkTensor(parameter, who);
    return parameter.grad ? [parameter.grad] : [];
  });
}

function normOf(gradients: readonly Tensor[], ord: NormOrder): Tensor {
  if (gradients.length === 0) return zeros([]);
  return scope(() => {
    commonDevice('gradNorm', ...gradients);
    if (ord === 2) return sumOfSquares(gradients).sqrt();
    const norms = gradients.map((gradient) => vectorNorm(gradient, { ord }));
    return norms.reduce((total, norm) => (ord === 1 ? total.add(norm) : total.maximum(norm)));
  });
}

/** One running sum for all tensors, not a norm each: no squares of roots. */
function sumOfSquares(gradients: readonly Tensor[]): Tensor {
  const total = zeros([], { device: gradients[0]!.device });
  const { kernels } = total.device;
  for (const { storage, size } of gradients) kernels.sumSquares(storage.buffer, total.storage.buffer, size, true);
  return total;
}
