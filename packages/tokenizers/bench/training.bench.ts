import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { trainBpe, trainWordPiece } from '@burin/tokenizers';
import { bench, describe } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));
const SHARED = resolve(ROOT, process.env.BURIN_SHARED ?? '../shared', 'data');

/** Real English, ten times over: as many words as in 10 MB, though fewer different ones than 10 MB of other text has. */
const lines = readFileSync(`${SHARED}/tiny-shakespeare/train.txt`, 'utf8').split('\n');
const texts = Array.from({ length: 10 }, () => lines).flat();
const megabytes = texts.reduce((sum, text) => sum + text.length + 1, 0) / 1e6;
const ONCE = { iterations: 2, warmupIterations: 0, time: 0 };

describe.each([8192, 32768])(`${megabytes.toFixed(1)} MB of text, vocabulary of %i`, (vocabSize) => {
  bench('trainBpe', () => void trainBpe(texts, { vocabSize }), ONCE);
  bench('trainWordPiece', () => void trainWordPiece(texts, { vocabSize }), ONCE);
});

describe('1 MB of text', () => {
  const tokenizer = trainBpe(lines, { vocabSize: 8192 });
  bench('encodeBatch', () => void tokenizer.encodeBatch(lines), ONCE);
  bench('encodeBatch with offsets', () => void tokenizer.encodeBatch(lines, { offsets: true }), ONCE);
});
