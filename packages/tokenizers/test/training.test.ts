import { type BpeTrainingOptions, Tokenizer, TokenizerError, trainBpe, trainWordPiece } from '@burin/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { temporaryFolders } from './support.js';
import { readGolden } from './support-golden.js';

const folder = temporaryFolders();

interface ModelJson {
  vocab: Record<string, number>;
  merges: [string, string][];
}
const modelOf = (tokenizer: Tokenizer) => tokenizer.toJson().model as ModelJson;
const mergesOf = (tokenizer: Tokenizer) => modelOf(tokenizer).merges.map((pair) => pair.join(' '));

const BYTES = 256;

/** Counts all pairs anew for each merge. Words are lists of symbols; ids are places in `vocab`. */
function slowMerges(words: string[][], vocab: string[], vocabSize: number, minFrequency: number) {
  const merges: string[] = [];
  const ids = [...vocab];
  while (ids.length < vocabSize) {
    const counts = new Map<string, { left: string; right: string; count: number }>();
    for (const word of words) {
      for (let i = 1; i < word.length; i++) {
        const [left, right] = [word[i - 1]!, word[i]!];
        const pair = counts.get(`${left} ${right}`) ?? { left, right, count: 0 };
        counts.set(`${left} ${right}`, { ...pair, count: pair.count + 1 });
      }
    }
    const rank = (symbol: string) => ids.indexOf(symbol);
    const [best] = [...counts.values()]
      .filter(({ count }) => count >= minFrequency)
      .sort((a, b) => b.count - a.count || rank(a.left) - rank(b.left) || rank(a.right) - rank(b.right));
    if (!best) break;
    if (!merges.includes(`${best.left} ${best.right}`)) merges.push(`${best.left} ${best.right}`);
    const joined = best.left + best.right.replace('##', '');
    if (!ids.includes(joined)) ids.push(joined);
    for (const word of words) {
      for (let i = 0; i + 1 < word.length; i++) {
        if (word[i] === best.left && word[i + 1] === best.right) word.splice(i, 2, joined);
      }
    }
  }
  return { merges, ids };
}

describe('trainBpe', () => {
  it('merges the most frequent pair, worked out by hand', () => {
    // Words: low ×3, lower ×2, newest ×4. Pairs: "we" 2+4 = 6 first (lower, newest); then "lo" 3+2 = 5; now "lo we" 2,
    // "lo w" 3, and in newest: "n e", "e we", "we s", "s t" 4 each, of which "e we" has the smallest left id, ...
    const words = ['low', 'low', 'low', 'lower', 'lower', ...Array(4).fill('newest')];
    const tokenizer = trainBpe(words, { vocabSize: BYTES + 6 });
    expect(mergesOf(tokenizer)).toEqual(['w e', 'l o', 'e we', 'n ewe', 's t', 'newe st']);
    expect(tokenizer.encode('newest').map((id) => tokenizer.idToToken(id))).toEqual(['newest']);
    expect(tokenizer.encode('lowest').map((id) => tokenizer.idToToken(id))).toEqual(['lo', 'we', 'st']);
  });

  it('takes the smaller ids of equally frequent pairs, and stops at pairs that are too rare', () => {
    expect(mergesOf(trainBpe(['dc', 'ab', 'dc', 'ab', 'ef'], { vocabSize: 400 }))).toEqual(['a b', 'd c']);
    const once = trainBpe(['dc', 'ab', 'ef'], { vocabSize: 400, minFrequency: 1 });
    expect(mergesOf(once)).toEqual(['a b', 'd c', 'e f']);
    expect(mergesOf(trainBpe(['abcd', 'abcd'], { vocabSize: 400, maxTokenLength: 2 }))).toEqual(['a b', 'c d']);
  });

  it('merges runs of one letter from the left', () => {
    const tokenizer = trainBpe(['aaaaa', 'aaaaa'], { vocabSize: 400 });
    expect(mergesOf(tokenizer)).toEqual(['a a', 'aa a', 'aa aaa']); // aa aa a, of which "aa a" ties with "aa aa"
    expect(tokenizer.encode('aaaaa')).toHaveLength(1);
  });

  it('does what counting all pairs anew for each merge does', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 9 });
    const task = fc.record({
      texts: fc.array(word, { maxLength: 12 }),
      merges: fc.integer({ min: 0, max: 25 }),
      minFrequency: fc.integer({ min: 1, max: 3 }),
    });
    fc.assert(
      fc.property(task, ({ texts, merges, minFrequency }) => {
        const vocabSize = BYTES + merges;
        const tokenizer = trainBpe(texts, { vocabSize, minFrequency });
        const bytes = Object.keys(modelOf(trainBpe([], { vocabSize: BYTES })).vocab).sort();
        const words = texts.map((text) => [...text]);
        expect(mergesOf(tokenizer)).toEqual(slowMerges(words, bytes, vocabSize, minFrequency).merges);
      }),
      { seed: 5, numRuns: 300 },
    );
  });

  it("learns what Hugging Face's trainer learns", () => {
    const { corpus, tokenizer } = readGolden('gpt2');
    const trained = trainBpe(corpus, { vocabSize: 400, minFrequency: 0, specialTokens: ['<|endoftext|>'] });
    expect(modelOf(trained).vocab).toEqual((tokenizer.model as ModelJson).vocab);
    expect(modelOf(trained).merges).toEqual((tokenizer.model as ModelJson).merges);
    expect(Object.keys(trained.toJson()).sort()).toEqual(Object.keys(tokenizer).sort());
    expect(Object.keys(modelOf(trained)).sort()).toEqual(Object.keys(tokenizer.model as object).sort());
  });

  it('gives any text back, before and after it is written', async () => {
    const { corpus } = readGolden('gpt2');
    const trained = trainBpe(corpus, { vocabSize: 420, bosToken: '<s>', eosToken: '</s>', padToken: '<pad>' });
    await trained.savePretrained(folder('bpe'));
    const read = await Tokenizer.fromFolder(folder('bpe'));
    expect([read.padTokenId, read.bosTokenId, read.eosTokenIds]).toEqual([0, 1, [2]]);
    expect(read.encode('the')[0]).toBe(1);
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        expect(trained.decode(trained.encode(text), { skipSpecialTokens: true })).toBe(text);
        expect(read.encode(text)).toEqual(trained.encode(text));
      }),
      { seed: 6, numRuns: 300 },
    );
  });

  it('gives the same file twice, in whatever order the texts come', () => {
    const { corpus } = readGolden('gpt2');
    const options: BpeTrainingOptions = { vocabSize: 500, minFrequency: 1 };
    const file = (texts: string[]) => JSON.stringify(trainBpe(texts, options).toJson());
    expect(file(corpus)).toBe(file(corpus));
    expect(file(corpus.toReversed())).toBe(file(corpus));
  });

  it('reads any iterable once', () => {
    function* texts() {
      yield 'abab';
      yield 'abab';
    }
    expect(mergesOf(trainBpe(texts(), { vocabSize: 400 }))).toEqual(['a b', 'ab ab']);
  });

  it('refuses what has no room or comes twice', () => {
    expect(() => trainBpe([], { vocabSize: 256, eosToken: '</s>' })).toThrow(
      'trainBpe: vocabSize must have room for 1 special tokens and an alphabet of 256: expected 257 or more, got 256',
    );
    expect(() => trainBpe([], { vocabSize: 300, min_frequency: 3 } as never)).toThrow(
      'trainBpe: there is no option min_frequency; expected vocabSize, minFrequency, ',
    );
    expect(() => trainWordPiece(['a'], { vocabSize: 300, limit_alphabet: 3 } as never)).toThrow(
      'trainWordPiece: there is no option limit_alphabet; expected vocabSize, minFrequency, ',
    );
    expect(() => trainBpe([], { vocabSize: 300, specialTokens: ['<s>', '<s>'] })).toThrow(TokenizerError);
    expect(() => trainBpe([], { vocabSize: 300, specialTokens: ['a'] })).toThrow(
      'trainBpe: expected different tokens, got "a" twice',
    );
    expect(trainBpe([], { vocabSize: 257, specialTokens: ['</s>'], eosToken: '</s>' }).eosTokenIds).toEqual([0]);
  });
});

describe('trainWordPiece', () => {
  const tokens = (tokenizer: Tokenizer, text: string) =>
    tokenizer.encode(text, { addSpecialTokens: false }).map((id) => tokenizer.idToToken(id));

  it('marks pieces inside a word, worked out by hand', () => {
    // hug ×3, pug ×2: "##u ##g" 5, then "h ##ug" 3, "p ##ug" 2.
    const tokenizer = trainWordPiece(['Hug hug, HUG', 'pug pug'], { vocabSize: 100 });
    const vocab = Object.keys(modelOf(tokenizer).vocab);
    const alphabet = [',', 'g', 'h', 'p', 'u', '##g', '##u'];
    expect(vocab).toEqual(['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]', ...alphabet, '##ug', 'hug', 'pug']);
    expect(tokens(tokenizer, 'PUG, hugu hot')).toEqual(['pug', ',', 'hug', '##u', '[UNK]']);
    expect(tokenizer.encode('hug')).toEqual([2, vocab.indexOf('hug'), 3]);
    expect(tokenizer.decode(tokenizer.encode('hug pug, hugu'))).toBe('hug pug, hugu');
    const { clsTokenId, sepTokenId, maskTokenId, padTokenId, unkTokenId } = tokenizer;
    expect([padTokenId, unkTokenId, clsTokenId, sepTokenId, maskTokenId]).toEqual([0, 1, 2, 3, 4]);
  });

  it('keeps the alphabet that it is told to keep', () => {
    const texts = ['aaa bb c', 'é'];
    const kept = (options: Parameters<typeof trainWordPiece>[1]) =>
      Object.keys(modelOf(trainWordPiece(texts, options)).vocab).slice(5);
    expect(kept({ vocabSize: 99, limitAlphabet: 2, minFrequency: 9 })).toEqual(['a', 'b', '##a', '##b']);
    expect(kept({ vocabSize: 99, limitAlphabet: 2, minFrequency: 9, initialAlphabet: 'z' })).toEqual(['a', 'z', '##a']);
    expect(kept({ vocabSize: 99, minFrequency: 9 })).toEqual(['a', 'b', 'c', 'e', '##a', '##b']);
    expect(kept({ vocabSize: 99, minFrequency: 9, stripAccents: false })).toContain('é');
    expect(kept({ vocabSize: 99, minFrequency: 9, specialTokens: ['[X]', '[MASK]'] })[0]).toBe('[X]');
  });

  it('does what counting all pairs anew for each merge does', () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 9 });
    fc.assert(
      fc.property(fc.array(word, { maxLength: 12 }), fc.nat(25), (texts, merges) => {
        const alphabet = Object.keys(modelOf(trainWordPiece(texts, { vocabSize: 99, minFrequency: 99 })).vocab);
        const vocabSize = alphabet.length + merges;
        const words = texts.map((text) => [...text].map((c, i) => (i === 0 ? c : `##${c}`)));
        const { ids } = slowMerges(words, alphabet, vocabSize, 2);
        expect(Object.keys(modelOf(trainWordPiece(texts, { vocabSize })).vocab)).toEqual(ids);
      }),
      { seed: 8, numRuns: 200 },
    );
  });

  it("writes what Hugging Face's library writes", () => {
    const { corpus, tokenizer } = readGolden('bert');
    const trained = trainWordPiece(corpus, { vocabSize: 260 }).toJson();
    expect(Object.keys(trained).sort()).toEqual(Object.keys(tokenizer).sort());
    expect(Object.keys(trained.model as object).sort()).toEqual(Object.keys(tokenizer.model as object).sort());
    for (const part of ['normalizer', 'pre_tokenizer', 'post_processor', 'decoder', 'added_tokens']) {
      expect(trained[part], part).toEqual(tokenizer[part]);
    }
  });

  it('learns nothing from words that will be unknown', () => {
    const texts = ['abz abz abz abz', 'ab ba'];
    const { vocab } = modelOf(trainWordPiece(texts, { vocabSize: 99, limitAlphabet: 2, minFrequency: 1 }));
    expect(Object.keys(vocab).slice(5)).toEqual(['a', 'b', '##a', '##b', 'ab', 'ba']);
  });

  it('encodes the same after it is written', async () => {
    const trained = trainWordPiece(readGolden('bert').corpus, { vocabSize: 300 });
    await trained.savePretrained(folder('word-piece'));
    const read = await Tokenizer.fromFolder(folder('word-piece'));
    expect(JSON.stringify(read.toJson())).toBe(JSON.stringify(trained.toJson()));
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme' }), (text) => {
        expect(read.encode(text)).toEqual(trained.encode(text));
      }),
      { seed: 7 },
    );
  });
});
