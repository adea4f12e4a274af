import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { isShared, type Pair, SHARED } from '../src/shared-files.js';
import { newModel, train } from '../src/translate/train.js';
import { translate } from '../src/translate/translate.js';
import { Vocabulary } from '../src/translate/vocabulary.js';
import { LONG, runExample } from './run-example.js';

/** A language of two words a sentence, in which the second comes first. */
const WORDS = ['one two', 'red rot', 'dog hund', 'cat katze', 'big groß', 'old alt'].map((words) => words.split(' '));
const PAIRS: readonly Pair[] = WORDS.flatMap(([a, ja]) =>
  WORDS.map(([b, jb]) => ({ source: `${a} ${b}`, target: `${jb} ${ja}` })),
);
const LINES = PAIRS.flatMap(({ source, target }) => [source, target]);

describe('Vocabulary', () => {
  const vocabulary = Vocabulary.learn(LINES, 320);

  it('ends each sentence, begins none, and gives the text back', () => {
    const ids = vocabulary.encode('big katze');
    expect(ids.at(-1)).toBe(vocabulary.endTokenId);
    expect(ids).not.toContain(vocabulary.startTokenId);
    expect(vocabulary.decode([vocabulary.startTokenId, ...ids])).toBe('big katze');
  });

  it('has both languages in one table', () => {
    expect(vocabulary.size).toBeLessThanOrEqual(320);
    const { inputIds, labels } = vocabulary.exampleOf({ source: 'red', target: 'red' });
    expect(inputIds).toEqual(labels);
  });

  it('takes a tokenizer with its special tokens only', () => {
    const tokenizer = { tokenToId: (token: string) => (token === '<s>' ? null : 0) };
    expect(() => new Vocabulary(tokenizer as never)).toThrow('Vocabulary: the tokenizer must have the token <s>');
  });
});

it(
  'learns a language of two words from nothing, and gives translations in the order of the sentences',
  async () => {
    const vocabulary = Vocabulary.learn(LINES, 320);
    const model = newModel(vocabulary);
    const { curve } = await train(model, vocabulary, { train: PAIRS, valid: PAIRS, steps: 60, reporter: false });
    expect(curve.at(-1)!.validLoss).toBeLessThan(curve[0]!.validLoss / 2);
    const sentences = [...PAIRS].reverse().map(({ source }) => source);
    const wanted = [...PAIRS].reverse().map(({ target }) => target);
    for (const beams of [1, 3]) {
      const said = await translate(model, vocabulary, sentences, beams);
      const right = said.filter((sentence, i) => sentence === wanted[i]).length;
      expect(right / wanted.length).toBeGreaterThan(0.9);
    }
  },
  LONG,
);

const isThere = isShared('data/multi30k');
const given = isThere ? '' : ` (skipped: no data in ${SHARED}; BURIN_SHARED names another folder)`;

describe.skipIf(!isThere)(`pnpm example:translate${given}`, () => {
  it(
    'runs from end to end on few pairs and steps',
    () => {
      const args = ['--steps', '5', '--pairs', '320', '--test', '8', '--vocab', '500'];
      const { out, printed, figures } = runExample('translate', args);
      expect(figures.curve.map(({ step }: { step: number }) => step)).toEqual([1, 2, 3, 4, 5]);
      expect(Object.keys(figures.scores)).toEqual(['copied', 'greedy', 'beams']);
      expect(printed).toContain('BLEU on 8 held-out sentences');
      expect(existsSync(`${out}/model/model.safetensors`)).toBe(true);
    },
    LONG,
  );
});
