import type { Embedding } from '@burin/nn';
import type { Tensor } from '@burin/tensor';
import type { Positions } from './model-input.js';

/**
 * The learned vectors of positions, `[B, T, C]`.
 *
 * @throws RangeError if a position is beyond the table; `who` is put before it
 */
export function learnedPositions(who: string, table: Embedding, positions: Positions): Tensor {
  const limit = table.weight.shape[0]!;
  if (positions.max >= limit) {
    throw new RangeError(`${who}: texts have at most ${limit} tokens, got position ${positions.max}; truncate them`);
  }
  return table.forward(positions.ids);
}
