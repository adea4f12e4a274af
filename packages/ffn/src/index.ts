export { type Activation, type ActivationName, activationNames, activationOf, swish } from './activations.js';
export { FeedForward, type FeedForwardParts } from './feed-forward.js';
export { gatedActivation } from './gated-activation.js';
export { GatedFeedForward, type GatedFeedForwardParts, gatedHiddenWidth } from './gated-feed-forward.js';
export type { FeedForwardOptions } from './options.js';
