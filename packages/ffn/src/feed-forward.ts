import { Dropout, Linear, type LinearLike, Module } from '@burin/nn';
import { checkOptions, ShapeError, scope, type Tensor } from '@burin/tensor';
import { type Activation, type ActivationName, activationOf } from './activations.js';
import { FEED_FORWARD_OPTIONS, type FeedForwardOptions } from './options.js';

/** A block of linears that are there already. */
export interface FeedForwardParts {
  fc1: LinearLike; // [C] -> [F]
  fc2: LinearLike; // [F] -> [C]
  /** Default `'gelu'`. */
  activation?: ActivationName | Activation;
  dropout?: Dropout | null;
}

/**
 * The classic feed-forward block, `[..., C] -> [..., F] -> [..., C]`:
 *
 *     y = fc2(dropout(activation(fc1(x))))
 *
 * Residual connection and norm come from outside: `PreNormResidual` of @burin/norm.
 *
 * @see Vaswani et al. 2017, section 3.3, https://arxiv.org/abs/1706.03762
 */
export class FeedForward extends Module {
  readonly fc1: LinearLike; // [C] -> [F]
  readonly fc2: LinearLike; // [F] -> [C]
  readonly activation: Activation;
  readonly dropout: Dropout | null; // of the hidden activations

  /**
   * A new one of widths C and F, or one of given parts: `new FeedForward({ fc1, fc2 })`.
   *
   * @throws RangeError if a width, the activation or the dropout is not valid, or an option is none; ShapeError if given
   *   linears do not fit
   */
  constructor(width: number, hidden: number, options: FeedForwardOptions);
  constructor(parts: FeedForwardParts);
  constructor(first: number | FeedForwardParts, hidden?: number, options?: FeedForwardOptions) {
    super();
    const parts = typeof first === 'number' ? build(first, hidden!, options!) : first;
    checkOptions('FeedForward', parts, ['fc1', 'fc2', 'activation', 'dropout']);
    const { fc1, fc2, activation = 'gelu', dropout = null } = parts;
    if (fc1.outFeatures !== fc2.inFeatures) {
      throw new ShapeError(
        `FeedForward: fc2 must take what fc1 gives: expected ${fc1.outFeatures}, got ${fc2.inFeatures}`,
      );
    }
    this.fc1 = fc1;
    this.fc2 = fc2;
    this.activation = typeof activation === 'function' ? activation : activationOf(activation);
    this.dropout = dropout;
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const hidden = this.activation(this.fc1.forward(x)); // [..., F]
      return this.fc2.forward(this.dropout ? this.dropout.forward(hidden) : hidden); // [..., C]
    });
  }
}

function build(width: number, hidden: number, options: FeedForwardOptions): FeedForwardParts {
  checkOptions('FeedForward', options, FEED_FORWARD_OPTIONS);
  const { activation = 'gelu', bias = true, dropout = 0, rng } = options;
  return {
    fc1: new Linear(width, hidden, { bias, rng }),
    fc2: new Linear(hidden, width, { bias, rng }),
    activation,
    dropout: dropout === 0 ? null : new Dropout(dropout, rng),
  };
}
