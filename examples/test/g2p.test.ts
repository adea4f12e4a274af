import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Alphabet } from '../src/g2p/alphabet.js';
import { editDistance, scoreSpelling } from '../src/g2p/score.js';
import { isShared, SHARED } from '../src/shared-files.js';
import { LONG, runExample } from './run-example.js';

describe('Alphabet', () => {
  const alphabet = new Alphabet({ grapheme_chars: '____abc', phoneme_chars: '____ˈæb' });

  it('gives a character the id of its place', () => {
    expect(alphabet.encodeWord('cab')).toEqual([1, 6, 4, 5, 2]);
    expect(alphabet.encodePhonemes('bˈæ')).toEqual([1, 6, 4, 5, 2]);
  });

  it('knows no underline: that stands for padding, start, end and unknown', () => {
    expect(alphabet.encodeWord('a_z')).toEqual([1, 4, 3, 3, 2]);
  });

  it('leaves those four out of what was said', () => {
    expect(alphabet.decodePhonemes([1, 1, 6, 4, 5, 2, 0, 3])).toBe('bˈæ');
  });

  it('needs both alphabets', () => {
    expect(() => new Alphabet({ grapheme_chars: 'ab' })).toThrow(
      'Alphabet: config.json must have the texts grapheme_chars and phoneme_chars',
    );
  });
});

describe('scoreSpelling', () => {
  it('counts words that are all right, and wrong, missing and extra phonemes', () => {
    const pairs = ['abc', 'abc', 'de'].map((target) => ({ source: '', target }));
    expect(scoreSpelling(['abc', 'xbcd', 'd'], pairs)).toEqual({ exact: 1 / 3, errorRate: 3 / 8 });
  });

  it.each([
    ['', '', 0],
    ['abc', '', 3],
    ['kitten', 'sitting', 3],
    ['flaw', 'lawn', 2],
  ])('is %o from %o by %i steps', (a, b, distance) => {
    expect(editDistance([...a], [...b])).toBe(distance);
  });
});

const isThere = isShared('models/bart-g2p-en-us') && isShared('data/g2p-english');
const given = isThere ? '' : ` (skipped: no model and data in ${SHARED}; BURIN_SHARED names another folder)`;

describe.skipIf(!isThere)(`pnpm example:g2p${given}`, () => {
  it(
    'moves the model towards British, gives the American one back, and reads its adapter',
    () => {
      const { out, printed, figures } = runExample('g2p', ['--train', '1280', '--test', '100']);
      expect(figures.after.british.exact).toBeGreaterThan(figures.before.british.exact + 0.1);
      expect(printed).toContain('spells every American word as before');
      expect(printed.match(/to the bit/g)).toHaveLength(2);
      expect(existsSync(`${out}/adapter/adapter_model.safetensors`)).toBe(true);
    },
    LONG,
  );
});
