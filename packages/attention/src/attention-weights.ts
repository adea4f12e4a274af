import type { HeadLayout } from '@burin/nn';
import { checkOptions, maskedFill, matmul, scope, type Tensor, tensor, where, widen } from '@burin/tensor';
import { headsFirst } from './head-layout.js';
import { ATTENTION_OPTIONS, type AttentionMasks } from './options.js';
import { type AttentionPlan, planAttention } from './plan.js';

/**
 * The probabilities that {@link scaledDotProductAttention} sums values by, all T · S of them: to look at, not to run a
 * model with. Before dropout. The row of a query that sees no key is zeros. Segments are told apart up to 2^24.
 *
 * @param q - `[B, H, T, D]`, or `[B, T, H, D]` with layout `'bthd'`
 * @param k - `[B, K, S, D]` or `[B, S, K, D]`
 * @returns `[B, H, T, S]` in either layout; gradients flow through it
 * @throws what scaledDotProductAttention throws
 */
export function attentionWeights(q: Tensor, k: Tensor, options: AttentionMasks & { layout: HeadLayout }): Tensor {
  const who = 'attentionWeights';
  checkOptions(who, options, ATTENTION_OPTIONS);
  return scope(() => {
    const [wideQ, wideK] = [widen(q, who), widen(k, who)];
    const plan = planAttention(who, [wideQ, wideK, wideK], options.layout, options);
    const scores = scoresOf(plan, headsFirst(wideQ, options.layout), headsFirst(wideK, options.layout));
    return hideUnseen(plan, plan.bias ? scores.add(plan.bias) : scores).softmax();
  });
}

/** `scale · q kᵀ`: [B, H, T, S]. Each key head serves `group` query heads. */
function scoresOf({ q, k, keys, scale }: AttentionPlan, queries: Tensor, allKeys: Tensor): Tensor {
  const group = q.heads / k.heads;
  const inUse = keys === k.tokens ? allKeys : allKeys.narrow(2, 0, keys);
  const grouped = queries.reshape([q.batch, k.heads, group * q.tokens, q.dim]);
  const scores = matmul(grouped, inUse, { transposeB: true }); // [B, K, group · T, S]
  return scores.reshape([q.batch, q.heads, q.tokens, keys]).mul(scale);
}

/** Scores of keys that a query does not see become −∞. */
function hideUnseen(plan: AttentionPlan, scores: Tensor): Tensor {
  const { batch, tokens } = plan.q;
  const { keys, keyMask, querySegments, keySegments } = plan;
  let seen = scores;
  if (plan.windowLeft >= 0 || plan.windowRight >= 0) seen = maskedFill(seen, outsideWindow(plan), -Infinity);
  if (keyMask) seen = where(keyMask.reshape([batch, 1, 1, keys]), seen, -Infinity);
  if (querySegments && keySegments) {
    const own = querySegments.to('float32').reshape([batch, 1, tokens, 1]);
    const others = keySegments.to('float32').reshape([batch, 1, 1, keys]);
    seen = maskedFill(seen, own.sub(others).abs().to('uint8'), -Infinity);
  }
  return seen;
}

/** uint8 [T, S]: 1 where the key is too far to the left or right of the query. */
function outsideWindow({ q, keys, windowLeft, windowRight, queryOffset, device }: AttentionPlan): Tensor {
  const outside = new Uint8Array(q.tokens * keys);
  for (let i = 0; i < q.tokens; i++) {
    const position = queryOffset + i;
    for (let j = 0; j < keys; j++) {
      const before = windowLeft >= 0 && j < position - windowLeft;
      const after = windowRight >= 0 && j > position + windowRight;
      outside[i * keys + j] = before || after ? 1 : 0;
    }
  }
  return tensor(outside, [q.tokens, keys], { device });
}
