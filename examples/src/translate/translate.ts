import { generateFromEncoder, type Seq2SeqModel } from '@burin/models';
import type { Vocabulary } from './vocabulary.js';

const BATCH = 100;
/** No translation of a caption needs more. */
const LONGEST = 80;

/**
 * Translates sentences. With one beam the likeliest token is taken at each place; with more, that many unfinished
 * translations are carried along, and the one that is likeliest as a whole is given.
 */
export async function translate(
  model: Seq2SeqModel,
  vocabulary: Vocabulary,
  sentences: readonly string[],
  numBeams: number,
): Promise<string[]> {
  const rows = sentences.map((sentence, place) => ({ ids: vocabulary.encode(sentence), place }));
  rows.sort((a, b) => a.ids.length - b.ids.length); // batches of like length: less padding
  const translations: string[] = [];
  for (let start = 0; start < rows.length; start += BATCH) {
    const batch = rows.slice(start, start + BATCH);
    const said = await generateFromEncoder(
      model,
      batch.map(({ ids }) => ids),
      { maxNewTokens: LONGEST, numBeams },
    );
    for (const [i, { place }] of batch.entries()) translations[place] = vocabulary.decode(said[i]!);
  }
  return translations;
}
