import type { Embedding } from '@burin/nn';
import type { Tensor } from '@burin/tensor';
import type { Positions } from './model-input.js';

/**
 * The learned vectors of positions, `[B, T, C]`.
 *
 * @param rows - of the table
 * @param first - the row of a text's first token. Default 0.
 * @throws RangeError if a row is beyond the table; `who` is put before it
 */
export function learnedPositions(who: string, table: Embedding, rows: Positions, first = 0): Tensor {
  const count = table.weight.shape[0]!;
  if (rows.max >= count) {
    throw new RangeError(
      `${who}: texts have at most ${count - first} tokens, got position ${rows.max - first}; truncate them`,
    );
  }
  return table.forward(rows.ids);
}
