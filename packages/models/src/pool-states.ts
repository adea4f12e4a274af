import { checkChoice, checkOptions, scope, type Tensor } from '@burin/tensor';
import { firstRealStates, firstTokenStates, lastTokenStates } from './heads.js';

/** Which token's state stands for a text: the mean of all, the first, or the last. */
export type Pooling = 'mean' | 'cls' | 'last';

/** How states become vectors of texts. */
export interface PoolOptions {
  /** Default `'mean'`. */
  pooling?: Pooling;
  /** Vectors of length 1, so that products are cosines; zeros stay zeros. Default false. */
  normalize?: boolean;
}

/**
 * One vector a text, to compare texts by: `[B, T, C] -> [B, C]`, over real tokens.
 *
 * @param attentionMask - uint8 `[B, T]`; left out: no padding
 * @throws RangeError for another pooling, or an option that there is not
 * @see Reimers & Gurevych 2019, https://arxiv.org/abs/1908.10084
 * @example
 * const vectors = poolStates(model.bert.forward(batch).states, batch.attentionMask, { normalize: true });
 */
export function poolStates(states: Tensor, attentionMask: Tensor | null = null, options: PoolOptions = {}): Tensor {
  checkOptions('poolStates', options, ['pooling', 'normalize']);
  const { pooling = 'mean', normalize = false } = options;
  checkChoice('poolStates', 'pooling', pooling, ['mean', 'cls', 'last']);
  return scope(() => {
    const vectors = pool(states, attentionMask, pooling);
    if (!normalize) return vectors;
    const lengths = vectors.square().sum(1).sqrt().clampMin(1e-12); // [B]
    return vectors.div(lengths.reshape([-1, 1]));
  });
}

function pool(states: Tensor, attentionMask: Tensor | null, pooling: Pooling): Tensor {
  if (pooling === 'cls') return attentionMask ? firstRealStates(states, attentionMask) : firstTokenStates(states);
  if (pooling === 'last') return lastTokenStates(states, attentionMask);
  if (!attentionMask) return states.mean(1);
  const [batch, tokens] = states.shape as [number, number, number];
  const real = attentionMask.to('float32');
  const sums = states.mul(real.reshape([batch, tokens, 1])).sum(1); // [B, C]
  return sums.div(real.sum(1).clampMin(1).reshape([batch, 1]));
}
