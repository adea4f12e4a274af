import { isLinearLike, Linear, type LinearLike, linearCrossEntropy, Module } from '@burin/nn';
import type { Tensor } from '@burin/tensor';
import { type Head, labelLoss, type MaskedHead, nextLabels, type States } from './heads.js';
import type { LossInput, ModelInput } from './model-input.js';

/** What a loss without logits is of. */
interface HeadLossInput {
  /** int32, the shape of the states without the last axis; they are not moved. */
  labels: Tensor;
  numItemsInBatch?: number | null | undefined;
  /** `[V]`, added to what a head without a bias gives. */
  bias?: Tensor | null;
}

/**
 * The loss that {@link labelLoss} is of a head's logits, without them: `[..., V]` is never held. That takes a head that is
 * a Linear, or stands for one and is frozen (4-bit); one with an adapter makes its logits.
 */
export function headLoss(head: Head, states: Tensor, { labels, numItemsInBatch, bias = null }: HeadLossInput): Tensor {
  const weight = headWeight(head);
  if (weight === null) {
    const logits = head.forward(states);
    return labelLoss(bias ? logits.add(bias) : logits, { labels, numItemsInBatch: numItemsInBatch ?? null })!;
  }
  const added = bias ?? (head as Head & LinearLike).bias;
  if (!numItemsInBatch) return linearCrossEntropy(states, weight, labels, { bias: added });
  return linearCrossEntropy(states, weight, labels, { bias: added, reduction: 'sum' }).div(numItemsInBatch);
}

/** The weight that a head's logits are the product with, or null where they are not, or where it would get no gradient. */
function headWeight(head: Head): Tensor | null {
  if (head instanceof Linear) return head.weight;
  if (!(head instanceof Module && isLinearLike(head))) return null;
  return head.parameters().some(({ requiresGrad }) => requiresGrad) ? null : head.floatWeight();
}

/** A model without its head. */
interface Body {
  forward(input: ModelInput): States;
}

/**
 * The loss that {@link causalOutput} returns, without its logits: what training calls.
 *
 * @throws RangeError if there are no labels; `who` is put before it
 */
export function causalLoss(who: string, head: Head, body: Body, input: ModelInput & LossInput): Tensor {
  const labels = nextLabels(neededLabels(who, input));
  return headLoss(head, body.forward(input).states, { labels, numItemsInBatch: input.numItemsInBatch });
}

/**
 * The loss that {@link maskedOutput} returns, without its logits: what training calls.
 *
 * @throws RangeError if there are no labels; `who` is put before it
 */
export function maskedLoss(who: string, head: MaskedHead, body: () => States, input: LossInput): Tensor {
  const labels = neededLabels(who, input);
  return headLoss(head.decoder, head.hidden(body().states), { labels, numItemsInBatch: input.numItemsInBatch });
}

/** The labels of an input. @throws RangeError if there are none; `who` is put before it */
export function neededLabels(who: string, { labels }: LossInput): Tensor {
  if (labels) return labels;
  throw new RangeError(`${who}.loss: labels are needed, got none`);
}
