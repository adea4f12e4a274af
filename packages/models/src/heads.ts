import { crossEntropy } from '@burin/nn';
import { arange, cat, embedding, full, narrow, type Tensor } from '@burin/tensor';
import type { CausalInput } from './causal-model.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';

const IGNORE = -100;

/** What a model returns that has its states. */
export interface States {
  states: Tensor; // [B, T, C], the last
  hiddenStates: Tensor[] | null;
}

/** A layer that makes logits of states. */
export interface Head {
  forward(x: Tensor): Tensor;
}

/** What the head of a language model makes of its decoder's states: logits `[B, T, V]` and the loss of labels. */
export function causalOutput(
  head: Head,
  { states, hiddenStates }: States,
  input: CausalInput & LossInput,
): ModelOutput {
  const tokens = states.shape[1]!;
  const wanted = Math.min(input.logitsToKeep ?? tokens, tokens);
  const kept = wanted === tokens ? states : states.narrow(1, tokens - wanted, wanted);
  const logits = head.forward(kept); // [B, T, V]
  return { logits, loss: nextTokenLoss(logits, input), hiddenStates };
}

/** What a head makes of each token's state: logits `[B, T, V]`, and the loss of `labels` `[B, T]`, which are not moved. */
export function labelledOutput(head: Head, { states, hiddenStates }: States, input: LossInput): ModelOutput {
  const logits = head.forward(states);
  return { logits, loss: labelLoss(logits, input), hiddenStates };
}

/** What a head makes of each text's last real token: logits `[B, labels]`, and the loss of `labels` `[B]`. */
export function lastTokenOutput(
  head: Head,
  { states, hiddenStates }: States,
  input: LossInput & Pick<ModelInput, 'attentionMask'>,
): ModelOutput {
  const logits = head.forward(lastTokenStates(states, input.attentionMask));
  return { logits, loss: labelLoss(logits, input), hiddenStates };
}

/** The head of a masked language model: `decoder(hidden(states))`. */
export interface MaskedHead {
  hidden(states: Tensor): Tensor;
  readonly decoder: Head;
}

/** What the head of a masked language model makes of each token's state: see {@link labelledOutput}. */
export function maskedOutput(head: MaskedHead, { states, hiddenStates }: States, input: LossInput): ModelOutput {
  return labelledOutput(head.decoder, { states: head.hidden(states), hiddenStates }, input);
}

/** Cross entropy of each token's logits against the next token's label. @returns a scalar, or null without labels */
function nextTokenLoss(logits: Tensor, { labels, numItemsInBatch }: LossInput): Tensor | null {
  if (!labels) return null;
  return labelLoss(logits, { labels: nextLabels(labels), numItemsInBatch: numItemsInBatch ?? null });
}

/** Labels `[B, T]` moved by one, so that each stands where it is predicted: that is cheaper than moving logits. */
export function nextLabels(labels: Tensor): Tensor {
  const [batch, tokens] = labels.shape as [number, number];
  const none = full([batch, 1], IGNORE, { dtype: 'int32', device: labels.device });
  return cat([narrow(labels, 1, 1, tokens - 1), none], 1);
}

/**
 * Cross entropy of logits `[..., V]` against labels `[...]`.
 *
 * @returns a scalar, or null without labels
 * @throws RangeError if there is one class: its loss is 0, and training would do nothing
 */
export function labelLoss(logits: Tensor, { labels, numItemsInBatch }: LossInput): Tensor | null {
  if (!labels) return null;
  if (logits.shape.at(-1) === 1) {
    throw new RangeError(
      'labels need two classes or more: expected numLabels of 2 or more, got 1; a regression has the loss mse(logits, values)',
    );
  }
  if (numItemsInBatch === undefined || numItemsInBatch === null) return crossEntropy(logits, labels);
  return crossEntropy(logits, labels, { reduction: 'sum' }).div(numItemsInBatch);
}

/** The state of each row's first token: `[B, T, C] -> [B, C]`. */
export function firstTokenStates(states: Tensor): Tensor {
  const [batch, , width] = states.shape as [number, number, number];
  return states.narrow(1, 0, 1).reshape([batch, width]);
}

/** The state of each row's first real token, where padding may be on the left: `[B, T, C] -> [B, C]`. */
export function firstRealStates(states: Tensor, attentionMask: Tensor): Tensor {
  return statesAt(states, attentionMask.to('float32').argmax()); // the first of equal ones
}

/** The state of each row's last real token: `[B, T, C] -> [B, C]`. Real tokens are those that the mask says are. */
export function lastTokenStates(states: Tensor, attentionMask: Tensor | null | undefined): Tensor {
  const [batch, tokens] = states.shape as [number, number, number];
  const counts = arange(1, tokens + 1, 1, { dtype: 'float32', device: states.device });
  const real = attentionMask ? attentionMask.to('float32').mul(counts) : counts.expand([batch, tokens]);
  return statesAt(states, real.argmax());
}

/** The state at a place of each row; `places` is int32 `[B]`. */
function statesAt(states: Tensor, places: Tensor): Tensor {
  const [batch, tokens, width] = states.shape as [number, number, number];
  const starts = arange(0, batch * tokens, tokens, { dtype: 'float32', device: states.device });
  const rows = places.to('float32').add(starts).to('int32'); // exact below 2^24
  return embedding(states.reshape([batch * tokens, width]), rows);
}
