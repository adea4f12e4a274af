import { Optimizer } from './optimizer.js';
import type { PagingOptions } from './paging-options.js';
import type { OptimizerParameters } from './parameter-groups.js';
import { checkNotNegative, type UpdateRule } from './update-rule.js';

/** Hyperparameters of {@link Adam} and {@link AdamW}, of each group. */
export interface AdamHyperparameters {
  /** Learning rate. Default 1e-3. */
  lr: number;
  /** Decay of the running mean of gradients and of their squares. Default [0.9, 0.999]. */
  betas: readonly [number, number];
  /** Added to the root of the mean square. Default 1e-8. */
  eps: number;
  /** Default 1e-2 for AdamW, 0 for Adam. */
  weightDecay: number;
}

/** Hyperparameters, and how state is paged. */
export type AdamOptions = Partial<AdamHyperparameters> & PagingOptions;

/**
 * AdamW: Adam with weight decay that is decoupled from the gradient.
 *
 *     p *= 1 − lr · weightDecay
 *     m = β₁ m + (1 − β₁) g      v = β₂ v + (1 − β₂) g²      p −= lr/(1 − β₁ᵗ) · m / (√v/√(1 − β₂ᵗ) + eps)
 *
 * Names, defaults and order of operations are PyTorch's. m and v are float32 and lie in pages, see {@link PagingOptions}.
 *
 * @throws RangeError if a hyperparameter or the paging options are out of range, a parameter is in two groups, or there is none
 * @throws DtypeError if a parameter that requires a gradient is not float32
 * @see Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101
 * @example
 * const optimizer = new AdamW(model.namedParameters(), { lr: 1e-4, deviceBytes: 64 * 2 ** 20 });
 */
export class AdamW extends Optimizer<AdamHyperparameters> {
  constructor(params: OptimizerParameters<AdamHyperparameters>, options: AdamOptions = {}) {
    super(ADAMW, params, options);
  }
}

/**
 * Adam; weight decay, if any, is added to the gradient (L2): `g += weightDecay · p`. Else as {@link AdamW}.
 *
 * @throws RangeError, DtypeError as AdamW
 * @see Kingma & Ba 2015, https://arxiv.org/abs/1412.6980
 */
export class Adam extends Optimizer<AdamHyperparameters> {
  constructor(params: OptimizerParameters<AdamHyperparameters>, options: AdamOptions = {}) {
    super(ADAM, params, options);
  }
}

const ADAMW = adamRule('AdamW', { decoupled: true, weightDecay: 1e-2 });
const ADAM = adamRule('Adam', { decoupled: false, weightDecay: 0 });

function adamRule(
  name: string,
  { decoupled, weightDecay }: { decoupled: boolean; weightDecay: number },
): UpdateRule<AdamHyperparameters> {
  return {
    name,
    states: ['expAvg', 'expAvgSq'],
    defaults: { lr: 1e-3, betas: [0.9, 0.999], eps: 1e-8, weightDecay },
    check: (hyperparameters) => checkAdam(name, hyperparameters),
    usesState: () => true,
    update(kernels, { state, stateOffsets, step, ...piece }, { lr, betas, eps, weightDecay }) {
      const [beta1, beta2] = betas;
      const [expAvgOffset, expAvgSqOffset] = stateOffsets as [number, number];
      const moments = { expAvg: state!, expAvgSq: state!, expAvgOffset, expAvgSqOffset };
      const corrections = { biasCorrection1: 1 - beta1 ** step, biasCorrection2: 1 - beta2 ** step };
      kernels.adam({
        ...piece,
        ...moments,
        ...corrections,
        learningRate: lr,
        beta1,
        beta2,
        eps,
        weightDecay,
        decoupled,
      });
    },
  };
}

function checkAdam(who: string, { lr, betas, eps, weightDecay }: AdamHyperparameters): void {
  for (const [name, value] of Object.entries({ lr, eps, weightDecay })) checkNotNegative(who, name, value);
  if (
    Array.isArray(betas) &&
    betas.length === 2 &&
    betas.every((beta) => Number.isFinite(beta) && beta >= 0 && beta < 1)
  )
    return;
  throw new RangeError(`${who}: betas must be two numbers from 0 to less than 1, got [${betas}]`);
}
