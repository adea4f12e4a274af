import type { GenerateOptions } from './generate-options.js';
import { generate } from './generation.js';
import type { Seq2SeqModel } from './seq2seq-model.js';

/** {@link generate} of an encoder-decoder: what it says to rows of source ids, which are padded on the right inside. */
export function generateFromEncoder(
  model: Seq2SeqModel,
  sources: readonly (readonly number[])[],
  options: GenerateOptions = {},
): Promise<number[][]> {
  return generate(model, sources, options);
}
