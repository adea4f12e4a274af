import { Dropout, Linear, type LinearLike, Module } from '@burin/nn';
import { checkOptions, ShapeError, scope, type Tensor } from '@burin/tensor';
import { type Activation, type ActivationName, activationOf } from './activations.js';
import { gatedActivation } from './gated-activation.js';
import { FEED_FORWARD_OPTIONS, type FeedForwardOptions } from './options.js';

/** A block of linears that are there already. */
export interface GatedFeedForwardParts {
  gateProj: LinearLike; // [C] -> [F]
  upProj: LinearLike; // [C] -> [F]
  downProj: LinearLike; // [F] -> [C]
  /** Default `'silu'`. */
  activation?: ActivationName | Activation;
  dropout?: Dropout | null;
}

/**
 * The gated feed-forward block, `[..., C] -> [..., F] -> [..., C]`: SwiGLU (`silu`, the default), GEGLU (`gelu`),
 * ReGLU (`relu`).
 *
 *     y = downProj(dropout(activation(gateProj(x)) · upProj(x)))
 *
 * @see Shazeer 2020, https://arxiv.org/abs/2002.05202
 */
export class GatedFeedForward extends Module {
  readonly gateProj: LinearLike; // [C] -> [F]
  readonly upProj: LinearLike; // [C] -> [F]
  readonly downProj: LinearLike; // [F] -> [C]
  readonly activation: ActivationName | Activation;
  readonly dropout: Dropout | null; // of the hidden activations

  /**
   * A new one of widths C and F (without biases unless asked for), or one of given parts:
   * `new GatedFeedForward({ gateProj, upProj, downProj })`.
   *
   * @throws RangeError if a width, the activation or the dropout is not valid, or an option is none; ShapeError if given
   *   linears do not fit
   */
  constructor(width: number, hidden: number, options: FeedForwardOptions);
  constructor(parts: GatedFeedForwardParts);
  constructor(first: number | GatedFeedForwardParts, hidden?: number, options?: FeedForwardOptions) {
    super();
    const parts = typeof first === 'number' ? build(first, hidden!, options!) : first;
    checkOptions('GatedFeedForward', parts, ['gateProj', 'upProj', 'downProj', 'activation', 'dropout']);
    const { gateProj, upProj, downProj, activation = 'silu', dropout = null } = parts;
    checkWidths(parts);
    if (typeof activation !== 'function') activationOf(activation); // an unknown name is an error now, not in forward
    this.gateProj = gateProj;
    this.upProj = upProj;
    this.downProj = downProj;
    this.activation = activation;
    this.dropout = dropout;
  }

  forward(x: Tensor): Tensor {
    return scope(() => {
      const hidden = gatedActivation(this.gateProj.forward(x), this.upProj.forward(x), this.activation); // [..., F]
      return this.downProj.forward(this.dropout ? this.dropout.forward(hidden) : hidden); // [..., C]
    });
  }
}

function build(width: number, hidden: number, options: FeedForwardOptions): GatedFeedForwardParts {
  checkOptions('GatedFeedForward', options, FEED_FORWARD_OPTIONS);
  const { activation = 'silu', bias = false, dropout = 0, rng } = options;
  return {
    gateProj: new Linear(width, hidden, { bias, rng }),
    upProj: new Linear(width, hidden, { bias, rng }),
    downProj: new Linear(hidden, width, { bias, rng }),
    activation,
    dropout: dropout === 0 ? null : new Dropout(dropout, rng),
  };
}

function checkWidths({ gateProj, upProj, downProj }: GatedFeedForwardParts): void {
  const hidden = gateProj.outFeatures;
  if (upProj.outFeatures === hidden && downProj.inFeatures === hidden) return;
  throw new ShapeError(
    `GatedFeedForward: upProj must give and downProj must take as much as gateProj gives: ` +
      `expected ${hidden} and ${hidden}, got ${upProj.outFeatures} and ${downProj.inFeatures}`,
  );
}

/**
 * The hidden width at which three matrices cost what the two of a classic block of four times the width do:
 * `2/3 · 4 · width`, rounded up to a multiple.
 *
 * @param options.multipleOf - 256 in Llama 7B. Default 1.
 * @throws RangeError if `width` or `multipleOf` is not a whole number of 1 or more
 * @see Shazeer 2020, section 3
 * @example
 * gatedHiddenWidth(4096, { multipleOf: 256 }); // 11008
 */
export function gatedHiddenWidth(width: number, options: { multipleOf?: number } = {}): number {
  checkOptions('gatedHiddenWidth', options, ['multipleOf']);
  const { multipleOf = 1 } = options;
  for (const [name, value] of [
    ['width', width],
    ['multipleOf', multipleOf],
  ] as const) {
    if (!Number.isInteger(value) || value < 1) {
      throw new RangeError(`gatedHiddenWidth: ${name} must be a whole number of 1 or more, got ${value}`);
    }
  }
  return Math.ceil((8 * width) / 3 / multipleOf) * multipleOf;
}
