import type { Generator } from '@burin/tensor';
import type { Activation, ActivationName } from './activations.js';

/** What a new feed-forward block is made of. */
export interface FeedForwardOptions {
  /** A Hugging Face name or a function. */
  activation?: ActivationName | Activation;
  /** Whether its linears have biases. */
  bias?: boolean;
  /** Share of hidden activations that training drops, in [0, 1). Default 0. */
  dropout?: number;
  /** Draws the weights, and later what is dropped. */
  rng: Generator;
}

/** The names of {@link FeedForwardOptions}. */
export const FEED_FORWARD_OPTIONS = ['activation', 'bias', 'dropout', 'rng'];
