import { type Offset, Tokenizer } from '@burin/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type Family, goldenTokenizer, readGolden } from './support-golden.js';

/** Text with a bit of everything: letters that compose, Korean, Chinese, emoji, spaces, control characters. */
const text = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({
    unit: fc.constantFrom(...'aeé\u0301\u0327ñÑß ﬁΣς한각\u1100\u1161你😀👩\u200d \t\n#ABC<s>.,1½'),
    maxLength: 20,
  }),
);

/** Tokens of a text with their places, without those that are nowhere. */
function placesOf(tokenizer: Tokenizer, value: string) {
  const [row] = tokenizer.encodeBatch([value], { offsets: true, addSpecialTokens: false });
  return row!.inputIds.map((id, i) => {
    const offset = row!.offsets![i]!;
    return { id, token: tokenizer.idToToken(id)!, offset, part: offset && value.slice(...offset) };
  });
}

const bytesOf = (value: string) => Array.from(new TextEncoder().encode(value)).join(' ');

describe('places in the text', () => {
  it('of byte-level tokens hold their bytes', () => {
    const tokenizer = goldenTokenizer('gpt2');
    const characters = Object.fromEntries(Array.from({ length: 256 }, (_, b) => [tokenizer.decode([idOfByte(b)]), b]));
    expect(Object.keys(characters).length).toBeGreaterThan(128);
    fc.assert(
      fc.property(text, (value) => {
        for (const { id, part } of placesOf(tokenizer, value)) {
          const decoded = tokenizer.decode([id]);
          if (part === null) throw new Error(`no place for ${decoded}`);
          if (!decoded.includes('\ufffd')) expect(bytesOf(part)).toContain(bytesOf(decoded));
          else expect(part.length).toBeGreaterThan(0); // a part of a character has the place of the whole
        }
      }),
      { seed: 11, numRuns: 300 },
    );
  });

  it('of WordPiece tokens hold what is normalised to them', () => {
    const tokenizer = goldenTokenizer('bert');
    const plain = (value: string) =>
      value
        .toLowerCase()
        .normalize('NFD')
        .replace(/[\p{Mn}\p{Cc}\p{Cf}]/gu, '');
    let known = 0;
    fc.assert(
      fc.property(text, (value) => {
        for (const { token, part } of placesOf(tokenizer, value)) {
          if (part === null || token === '[UNK]') continue;
          known++;
          expect(plain(part).replaceAll('ς', 'σ')).toBe(token.replace('##', '').replaceAll('ς', 'σ'));
        }
      }),
      { seed: 12, numRuns: 300 },
    );
    expect(known).toBeGreaterThan(50);
  });

  it.each<Family>(['llama2', 't5'])('of tokens of %s hold them, spaces as ▁', (name) => {
    const tokenizer = goldenTokenizer(name);
    const written = (value: string) => value.normalize('NFKC').replace(/ +/g, ' ').replaceAll(' ', '▁');
    let known = 0;
    fc.assert(
      fc.property(text, (value) => {
        for (const { token, part } of placesOf(tokenizer, value)) {
          if (part === null || /^<.+>$/.test(token)) continue;
          known++;
          const who = `${JSON.stringify(value)}: ${token}`;
          if (name === 'llama2') expect([token, token.replace(/^▁/, '')], who).toContain(part.replaceAll(' ', '▁'));
          else expect(written(part), who).toContain(token.replace(/^▁/, '')); // ½ is three tokens in one place
        }
      }),
      { seed: 13, numRuns: 300 },
    );
    expect(known).toBeGreaterThan(300);
  });

  it('go on from left to right, and every character but spaces has a token', () => {
    fc.assert(
      fc.property(fc.constantFrom<Family>('gpt2', 'roberta', 'llama3', 'llama2', 't5'), text, (name, value) => {
        const places = placesOf(goldenTokenizer(name), value).map(({ offset }) => offset);
        if (places.includes(null as unknown as Offset)) return;
        const covered = new Set(
          places.flatMap(([start, end]) => Array.from({ length: end - start }, (_, i) => start + i)),
        );
        const missing = [...value].length && Array.from(value, (_, i) => i).filter((i) => !covered.has(i));
        for (const i of missing || []) expect(value[i]!.trim(), `${name} ${JSON.stringify(value)} at ${i}`).toBe('');
        for (let i = 1; i < places.length; i++) expect(places[i]![0]).toBeGreaterThanOrEqual(places[i - 1]![0]);
      }),
      { seed: 14, numRuns: 200 },
    );
  });

  it('are worked out by hand', () => {
    const bert = goldenTokenizer('bert');
    expect(
      placesOf(bert, 'The  WOLF!')
        .map(({ part }) => part)
        .join('|'),
    ).toBe('The|WOLF|!');
    const [row] = bert.encodeBatch([['the day', 'it rained']], { offsets: true });
    const texts = ['the day', 'it rained'];
    const parts = row!.offsets!.map((offset, i) => offset && texts[row!.sequenceIds[i]!]!.slice(...offset));
    expect(parts.filter((part) => part !== null).join(' ')).toBe('the day it rained');
    expect(parts[0]).toBeNull();
  });

  it('follow the table of SentencePiece as far as the library knows it', () => {
    const { tokenizer: json } = readGolden('t5');
    const tokenizer = new Tokenizer({ ...json, normalizer: { type: 'Precompiled', precompiled_charsmap: null } });
    const places = placesOf(tokenizer, 'a\u0001b\u3000ｃ').map(({ token, part }) => [token, part]);
    expect(places).toEqual([
      ['▁a', 'a'],
      ['b', 'b'],
      ['▁c', '\u3000ｃ'],
    ]);
  });

  it.each<[string, Record<string, unknown>]>([
    ['the normalizer cannot be followed', { normalizer: { type: 'Replace', pattern: { Regex: '\\h' }, content: 'l' } }],
    [
      'words leave letters out',
      { pre_tokenizer: { type: 'Split', pattern: { Regex: 'l' }, behavior: 'Removed', invert: false } },
    ],
    ['words are written otherwise', { pre_tokenizer: { type: 'Replace', pattern: { String: 'l' }, content: 'r' } }],
  ])('are null where %s', (_, parts) => {
    const tokenizer = new Tokenizer({ ...readGolden('t5').tokenizer, ...parts });
    const places = placesOf(tokenizer, 'Hello').map(({ offset }) => offset);
    expect(places.length).toBeGreaterThan(0);
    expect(places.every((place) => place === null)).toBe(true);
  });

  it('know the sigma at the end of a word', () => {
    expect(placesOf(goldenTokenizer('bert'), 'ΟΔΟΣ the').map(({ part }) => part)).toEqual(['ΟΔΟΣ', 'the']);
  });

  it('leave the spaces out that an added token takes away', () => {
    const { tokenizer: json } = readGolden('gpt2');
    const greedy = { id: 400, content: '<x>', special: true, normalized: false, single_word: false };
    const added = (strips: object) => [...(json.added_tokens as object[]), { ...greedy, ...strips }];
    const parts = (strips: object) =>
      placesOf(new Tokenizer({ ...json, added_tokens: added(strips) }), 'the <x> the').map(({ part }) => part);
    expect(parts({ lstrip: false, rstrip: false })).toEqual(['the', ' ', '<x>', ' the']);
    expect(parts({ lstrip: false, rstrip: true })).toEqual(['the', ' ', '<x>', 'the']);
    expect(parts({ lstrip: true, rstrip: false })).toEqual(['the', '<x>', ' the']);
  });

  it('are not there where nobody asked', () => {
    expect(goldenTokenizer('bert').encodeBatch(['a'])[0]).not.toHaveProperty('offsets');
  });
});

/** The id of a byte in the tokenizer of GPT-2's kind: `<|endoftext|>`, then bytes in the order of their characters. */
function idOfByte(byte: number): number {
  return 1 + byte;
}
