import { readFileSync } from 'node:fs';
import { Tokenizer } from '@burin/tokenizers';
import { describe, expect, it } from 'vitest';

type Json = Record<string, unknown>;

/** What Hugging Face's own library, tokenizers 0.23.2, makes of texts: see golden/make_splits.py. */
interface Splits {
  texts: string[];
  cases: { normalizer: Json; pre_tokenizer: Json; words: string[][] }[];
  unigram: { tokenizer: Json; ids: number[][] };
}

const golden: Splits = JSON.parse(readFileSync(new URL('golden/splits.json', import.meta.url), 'utf8'));

/** A tokenizer.json that knows words, and nothing else. */
function wordLevel(words: Iterable<string>, steps: Json = {}): Json {
  const vocab = Object.fromEntries([...new Set(['<unk>', ...words])].map((word, id) => [word, id]));
  const none = { normalizer: null, pre_tokenizer: null, post_processor: null, decoder: null, added_tokens: [] };
  return { version: '1.0', ...none, ...steps, model: { type: 'WordLevel', vocab, unk_token: '<unk>' } };
}

describe('texts are cut into the words of the reference by', () => {
  const named = golden.cases.map((each) => [JSON.stringify([each.pre_tokenizer, each.normalizer]), each] as const);

  it.each(named)('%s', (_, { words, ...steps }) => {
    const tokenizer = new Tokenizer(wordLevel(words.flat(), steps));
    for (const [i, text] of golden.texts.entries()) {
      const found = tokenizer.encode(text).map((id) => tokenizer.idToToken(id));
      expect(found, text).toEqual(words[i]);
    }
  });
});

describe('a tokenizer of whole words', () => {
  const tokenizer = new Tokenizer(wordLevel(['ab', 'a', '日本'], { pre_tokenizer: { type: 'Whitespace' } }));

  it('knows a word or does not, whatever it begins with', () => {
    expect(tokenizer.encode('a ab abc 日本 日')).toEqual([2, 1, 0, 3, 0]);
    expect(tokenizer.decode([1, 0, 2], { skipSpecialTokens: false })).toBe('ab <unk> a');
  });

  it('says where its tokens lie', () => {
    const [row] = tokenizer.encodeBatch(['ab, x 日本'], { offsets: true });
    expect(row!.offsets).toEqual([
      [0, 2],
      [2, 3],
      [4, 5],
      [6, 8],
    ]);
  });
});

describe('a Unigram model that spells what it does not know', () => {
  const tokenizer = new Tokenizer(golden.unigram.tokenizer);

  it('gives the ids of the reference', () => {
    for (const [i, text] of golden.texts.entries()) expect(tokenizer.encode(text), text).toEqual(golden.unigram.ids[i]);
  });

  it('says where its tokens lie', () => {
    const [row] = tokenizer.encodeBatch(['hé'], { offsets: true });
    expect(row!.offsets).toEqual([
      [0, 1],
      [1, 2],
      [1, 2],
    ]);
  });
});

describe('what cannot be read', () => {
  const withSplit = (split: Json) =>
    wordLevel([], { pre_tokenizer: { type: 'Split', pattern: { String: '-' }, ...split } });

  it('is refused by name', () => {
    expect(() => new Tokenizer(withSplit({ behavior: 'Doubled' }))).toThrow(
      'tokenizer.json: pre_tokenizer: behavior must be one of Removed, Isolated, MergedWithPrevious, MergedWithNext, Contiguous, got Doubled',
    );
    expect(() => new Tokenizer(withSplit({ behavior: 'MergedWithNext', invert: true }))).toThrow(
      'tokenizer.json: pre_tokenizer: a Split that is MergedWithNext must not be inverted',
    );
    const model = { type: 'BPE', vocab: {}, merges: [], continuing_subword_prefix: '##' };
    expect(() => new Tokenizer({ ...wordLevel([]), model })).toThrow(
      'tokenizer.json: model: continuing_subword_prefix of a BPE must be empty, got "##"',
    );
  });

  it('is an error where no token stands for it', () => {
    const model = { type: 'WordLevel', vocab: { a: 0 }, unk_token: '<unk>' };
    const tokenizer = new Tokenizer({ ...wordLevel([]), model });
    expect(tokenizer.encode('a')).toEqual([0]);
    expect(() => tokenizer.encode('b')).toThrow(
      'encode: the vocabulary has no token for a part of the text, and tokenizer.json no unk_token',
    );
  });
});

it('steps that tokenizer.json does not name are none; without a model it is no tokenizer', () => {
  const { model } = wordLevel(['a b']);
  expect(new Tokenizer({ model }).encode('a b')).toEqual([1]);
  expect(() => new Tokenizer({ added_tokens: [] })).toThrow('tokenizer.json: model: expected an object, got undefined');
});

it('a vocabulary that leaves ids out is as large as its tokens are many', () => {
  const added = {
    id: 9,
    content: '<s>',
    special: true,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
  };
  expect(new Tokenizer({ ...wordLevel(['a']), added_tokens: [added] }).vocabSize).toBe(3);
});

it('takes no space away where none was put in front', () => {
  const metaspace = { type: 'Metaspace', replacement: '\u2581', prepend_scheme: 'never', split: true };
  const tokenizer = new Tokenizer(wordLevel(['\u2581a', 'a'], { pre_tokenizer: metaspace, decoder: metaspace }));
  expect(tokenizer.decode(tokenizer.encode(' a'))).toBe(' a');
});
