import { join } from 'node:path';
import { Tokenizer } from '@burin/tokenizers';
import { describe, expect, it } from 'vitest';
import { hasSharedModels, SHARED_MODELS } from './support.js';

const TEXTS = ['Once upon a time', 'Lily said, "Hello!" and  ran away.', 'café 你好 😀\n', ''] as const;

/** Ids of the texts above by Hugging Face's own library, tokenizers 0.23.2. */
const IDS: Record<string, number[][]> = {
  stories260k: [
    [1, 403, 407, 261, 378],
    [1, 317, 336, 432, 313, 440, 411, 306, 414, 443, 436, 269, 410, 352, 303, 261, 424, 283, 426],
    [1, 280, 412, 431, 485, 410, 231, 192, 163, 232, 168, 192, 410, 243, 162, 155, 131, 13],
    [1],
  ],
  'tinystories-656k': [
    [1, 80, 147, 201, 282, 57],
    [1, 80, 303, 204, 1288, 67, 4, 5, 100, 80, 494, 738, 10],
    [1, 80, 295, 58, 0, 80, 0, 80, 0, 3],
    [1],
  ],
  'babyllama-105': [
    [1, 3, 34, 9, 22, 4, 3, 18, 20, 7, 9, 3, 5, 3, 6, 10, 16, 4],
    [
      1, 3, 31, 10, 14, 15, 3, 12, 5, 10, 11, 25, 3, 29, 33, 4, 14, 14, 7, 36, 29, 3, 5, 9, 11, 3, 3, 13, 5, 9, 3, 5,
      17, 5, 15, 19,
    ],
    [1, 3, 22, 5, 24, 78, 3, 0, 0, 3, 0, 0],
    [1],
  ],
};

describe.runIf(hasSharedModels).each(Object.entries(IDS))('the tokenizer of %s', (name, ids) => {
  it('gives the ids and places that it should', async () => {
    const tokenizer = await Tokenizer.fromFolder(join(SHARED_MODELS, name));
    const rows = tokenizer.encodeBatch(TEXTS, { offsets: true });
    expect(rows.map(({ inputIds }) => inputIds)).toEqual(ids);
    for (const [i, { offsets, sequenceIds }] of rows.entries()) {
      const known = offsets!.filter((_, t) => sequenceIds[t] !== null);
      expect(known).not.toContain(null);
      const units = new Set(
        known.flatMap((offset) => Array.from({ length: offset![1] - offset![0] }, (_, n) => offset![0] + n)),
      );
      expect(units.size).toBe(TEXTS[i]!.length);
    }
  });
});
