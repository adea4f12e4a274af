import { crossEntropy } from '@burin/nn';
import { noGrad, ShapeError, scope, type Tensor } from '@burin/tensor';
import { IGNORE_INDEX } from '../data/host-batch.js';

/** How surprised a language model is. */
export interface PerplexityScores {
  /** Mean negative log-likelihood of the tokens that count, in nats. */
  readonly meanNll: number;
  /** `exp(meanNll)`: 1 is certain and right; the size of the vocabulary is a uniform guess. */
  readonly perplexity: number;
  /** The same for each row; NaN for a row in which no token counts. */
  readonly perSequence: readonly number[];
  /** Tokens that count. */
  readonly tokens: number;
}

/** What {@link perplexity} takes besides. */
export interface PerplexityOptions {
  /** The logits at t are for the label at t + 1, as in causal language models. Default true. */
  shift?: boolean;
  /** Labels that do not count. Default −100. */
  ignoreIndex?: number;
}

/**
 * Perplexity: `exp` of the mean negative log-likelihood over the labels that count.
 *
 * @param logits - `[B, T, V]`
 * @param labels - int32 `[B, T]`
 * @throws ShapeError if the shapes do not fit; RangeError if no label counts
 */
export async function perplexity(
  logits: Tensor,
  labels: Tensor,
  options: PerplexityOptions = {},
): Promise<PerplexityScores> {
  const { shift = true, ignoreIndex = IGNORE_INDEX } = options;
  const [batch = 0, steps = 0] = labels.shape;
  if (logits.shape.length !== 3 || `${logits.shape.slice(0, 2)}` !== `${labels.shape}`) {
    throw new ShapeError(
      `perplexity: logits must be [B, T, V] and labels [B, T], got [${logits.shape}] and [${labels.shape}]`,
    );
  }
  const from = shift ? 1 : 0;
  const [losses, counted] = scope(() =>
    noGrad(() => {
      const targets = labels.narrow(1, from, steps - from);
      const nll = crossEntropy(logits.narrow(1, 0, steps - from), targets, { ignoreIndex, reduction: 'none' });
      return [nll.data(), targets.data()] as const; // enqueued before the tensors are freed
    }),
  );
  return summarize(await losses, await counted, batch, ignoreIndex);
}

function summarize(
  losses: ArrayLike<number>,
  targets: ArrayLike<number>,
  rows: number,
  ignoreIndex: number,
): PerplexityScores {
  const length = targets.length / rows;
  const sums = new Float64Array(rows);
  const counts = new Float64Array(rows);
  for (let i = 0; i < targets.length; i++) {
    if (targets[i] === ignoreIndex) continue;
    const row = Math.floor(i / length);
    sums[row]! += losses[i]!;
    counts[row]! += 1;
  }
  const tokens = counts.reduce((sum, count) => sum + count, 0);
  if (tokens === 0)
    throw new RangeError(`perplexity: a label must count: expected one that is not ${ignoreIndex}, got none`);
  const meanNll = sums.reduce((sum, value) => sum + value, 0) / tokens;
  const perSequence = Array.from(sums, (sum, row) => Math.exp(sum / counts[row]!));
  return { meanNll, perplexity: Math.exp(meanNll), perSequence, tokens };
}
