export { type Activation, type ActivationName, activationNames, activationOf, swish } from './activations.js';
export { ExpertRouter, type Routing, type RoutingOptions } from './expert-router.js';
export { FeedForward, type FeedForwardParts } from './feed-forward.js';
export { gatedActivation } from './gated-activation.js';
export { GatedFeedForward, type GatedFeedForwardParts, gatedHiddenWidth } from './gated-feed-forward.js';
export {
  type Expert,
  MixtureOfExperts,
  type MixtureOfExpertsOptions,
  type MixtureOfExpertsParts,
} from './mixture-of-experts.js';
export type { FeedForwardOptions } from './options.js';
