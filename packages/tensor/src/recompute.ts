import { backward, enableGrad, isGradEnabled, noGrad, record } from './autograd.js';
import { recordDraws } from './random.js';
import { scope } from './scope.js';
import { Tensor } from './tensor.js';

/**
 * Runs `body` without keeping what its backward pass would read, and runs it again when that pass comes: memory for
 * time (Chen et al. 2016, https://arxiv.org/abs/1604.06174). Random draws are repeated, so dropout is the same.
 * Parameters that the body uses get their gradients as ever; `inputs` are what else it depends on.
 *
 * @param body - a function of `inputs` with one tensor as its result; it must do the same when run again
 * @example
 * const y = checkpoint((h) => block.forward(h), x);
 */
export function checkpoint<T extends readonly Tensor[]>(body: (...inputs: T) => Tensor, ...inputs: T): Tensor {
  return isGradEnabled() ? scope(() => recorded(body, inputs)) : body(...inputs);
}

function recorded<T extends readonly Tensor[]>(body: (...inputs: T) => Tensor, inputs: T): Tensor {
  // a handle of its own: the body may return one of its inputs
  const [output, replay] = recordDraws(() => scope(() => noGrad(() => body(...inputs)).detach()));
  const anchor = gradientAnchor(output, inputs);
  return record('checkpoint', [...inputs, anchor], output, inputs, (g, { saved, needs }) => {
    const again = saved.map((tensor, i) => {
      const leaf = tensor.detach();
      leaf.requiresGrad = needs(i);
      return leaf;
    });
    try {
      const repeated = replay(() => enableGrad(() => body(...(again as readonly Tensor[] as T))));
      if (repeated.requiresGrad) backward(repeated, g);
    } catch (error) {
      for (const leaf of again) leaf.zeroGrad(); // gradients belong to no scope
      throw error;
    }
    return [...again.map((leaf) => leaf.grad), null];
  });
}

/**
 * The body may train parameters although none of its inputs needs a gradient (a first layer on token ids): an empty
 * tensor that needs one puts the operation on the tape all the same.
 */
function gradientAnchor(output: Tensor, inputs: readonly Tensor[]): Tensor {
  const anchor = Tensor.allocate([0], 'float32', output.device);
  anchor.requiresGrad = !inputs.some((input) => input.requiresGrad);
  return anchor;
}
