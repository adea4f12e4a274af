import { Optimizer } from './optimizer.js';
import type { PagingOptions } from './paging-options.js';
import type { OptimizerParameters } from './parameter-groups.js';
import { checkNotNegative, type UpdateRule } from './update-rule.js';

/** Hyperparameters of {@link SGD}, of each group. */
export interface SgdHyperparameters {
  /** Learning rate. Default 1e-3. */
  lr: number;
  /** Default 0: no state at all. */
  momentum: number;
  /** Default 0. */
  dampening: number;
  /** Added to the gradient (L2). Default 0. */
  weightDecay: number;
  /** Default false. */
  nesterov: boolean;
}

/** Hyperparameters, and how state is paged. */
export type SgdOptions = Partial<SgdHyperparameters> & PagingOptions;

/**
 * Stochastic gradient descent, with momentum and Nesterov's variant.
 *
 *     g += weightDecay · p      b = momentum · b + (1 − dampening) · g, at first b = g
 *     p −= lr · (nesterov ? g + momentum · b : b)
 *
 * Names, defaults and order of operations are PyTorch's. b is float32 and lies in pages, see {@link PagingOptions}.
 *
 * @throws RangeError if a hyperparameter or the paging options are out of range, a parameter is in two groups, or there is none
 * @throws DtypeError if a parameter that requires a gradient is not float32
 * @see Sutskever et al. 2013, https://proceedings.mlr.press/v28/sutskever13.html
 */
export class SGD extends Optimizer<SgdHyperparameters> {
  constructor(params: OptimizerParameters<SgdHyperparameters>, options: SgdOptions = {}) {
    super(SGD_RULE, params, options);
  }
}

const SGD_RULE: UpdateRule<SgdHyperparameters> = {
  name: 'SGD',
  states: ['momentumBuffer'],
  defaults: { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false },
  check: checkSgd,
  usesState: ({ momentum }) => momentum !== 0,
  update(kernels, { state, stateOffsets, step, ...piece }, { lr, ...hyperparameters }) {
    const momentum = { momentumBuffer: state, momentumOffset: stateOffsets[0] ?? 0, first: step === 1 };
    kernels.sgd({ ...piece, ...momentum, learningRate: lr, ...hyperparameters });
  },
};

function checkSgd({ lr, momentum, dampening, weightDecay, nesterov }: SgdHyperparameters): void {
  for (const [name, value] of Object.entries({ lr, momentum, weightDecay })) checkNotNegative('SGD', name, value);
  if (!Number.isFinite(dampening)) throw new RangeError(`SGD: dampening must be a finite number, got ${dampening}`);
  if (nesterov && !(momentum > 0 && dampening === 0)) {
    throw new RangeError(
      `SGD: nesterov needs a momentum greater than 0 and no dampening, got momentum ${momentum} and dampening ${dampening}`,
    );
  }
}
