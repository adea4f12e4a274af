import { type BatchOptions, ByteTokenizer, Tokenizer } from '@burin/tokenizers';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

const CONFIG = { pad_token: '<pad>', bos_token: '<s>', eos_token: '</s>', unk_token: null };
/** One token a byte, `<s>` in front: what comes out can be counted by hand. */
const bytes = new Tokenizer(new ByteTokenizer().toJson(), CONFIG);
const ids = (text: string) => Array.from(new TextEncoder().encode(text), (byte) => byte + 3);
const rows = (texts: Parameters<Tokenizer['encodeBatch']>[0], options?: BatchOptions) =>
  bytes.encodeBatch(texts, options).map(({ inputIds }) => inputIds);

describe('padding', () => {
  it('fills up to the longest, right or left, and masks what it filled in', () => {
    const [short, long] = bytes.encodeBatch(['a', 'abc'], { padding: true });
    expect(short!.inputIds).toEqual([1, ...ids('a'), 0, 0]);
    expect(short!.attentionMask).toEqual([1, 1, 0, 0]);
    expect(short!.specialTokensMask).toEqual([1, 0, 1, 1]);
    expect(short!.sequenceIds).toEqual([null, 0, null, null]);
    expect(short!.tokenTypeIds).toEqual([0, 0, 0, 0]);
    expect(long!.inputIds).toEqual([1, ...ids('abc')]);
    const [left] = bytes.encodeBatch(['a', 'abc'], { padding: 'longest', paddingSide: 'left' });
    expect(left!.inputIds).toEqual([0, 0, 1, ...ids('a')]);
    expect(left!.attentionMask).toEqual([0, 0, 1, 1]);
  });

  it('fills up to maxLength, and to multiples', () => {
    expect(rows(['a'], { padding: 'max_length', maxLength: 4 })).toEqual([[1, ...ids('a'), 0, 0]]);
    expect(rows(['abcdef'], { padding: 'max_length', maxLength: 4 })).toEqual([[1, ...ids('abcdef')]]);
    expect(rows(['a', 'abcd'], { padding: true, padToMultipleOf: 4 }).map((row) => row.length)).toEqual([8, 8]);
    expect(rows(['a'], { padding: true, padTokenId: 9, padToMultipleOf: 3 })).toEqual([[1, ...ids('a'), 9]]);
  });

  it('takes sides and the longest length from tokenizer_config.json', () => {
    const config = { ...CONFIG, padding_side: 'left', truncation_side: 'left', model_max_length: 3 };
    const tokenizer = new Tokenizer(new ByteTokenizer().toJson(), config);
    const [row, cut] = tokenizer.encodeBatch(['a', 'abcd'], { padding: true, truncation: true });
    expect([row!.inputIds, cut!.inputIds]).toEqual([
      [0, 1, ...ids('a')],
      [1, ...ids('cd')],
    ]);
  });
});

describe('truncation', () => {
  it('keeps special tokens, and cuts either end', () => {
    expect(rows(['abcdef'], { truncation: true, maxLength: 4 })).toEqual([[1, ...ids('abc')]]);
    expect(rows(['abcdef'], { truncation: true, maxLength: 4, truncationSide: 'left' })).toEqual([[1, ...ids('def')]]);
    expect(rows(['abcdef'], { truncation: true, maxLength: 4, addSpecialTokens: false })).toEqual([ids('abcd')]);
  });

  it('cuts the longer of a pair first, or the one that was named', () => {
    const pair = [['abcde', 'xy']] as const;
    expect(rows(pair, { truncation: true, maxLength: 6 })).toEqual([[1, ...ids('abcxy')]]);
    expect(rows(pair, { truncation: 'longest_first', maxLength: 4 })).toEqual([[1, ...ids('abx')]]);
    expect(rows(pair, { truncation: 'only_first', maxLength: 4 })).toEqual([[1, ...ids('axy')]]);
    expect(rows(pair, { truncation: 'only_second', maxLength: 7 })).toEqual([[1, ...ids('abcdex')]]);
  });

  it('gives what was cut off as further rows that overlap', () => {
    const options = { truncation: true, maxLength: 5, returnOverflowingTokens: true, stride: 1 } as const;
    const parts = bytes.encodeBatch(['x', 'abcdefgh'], options);
    expect(parts.map(({ inputIds }) => bytes.decode(inputIds))).toEqual(['x', 'abcd', 'defg', 'gh']);
    expect(parts.map(({ sample }) => sample)).toEqual([0, 1, 1, 1]);
    const left = bytes.encodeBatch(['abcdefgh'], { ...options, truncationSide: 'left' });
    expect(left.map(({ inputIds }) => bytes.decode(inputIds))).toEqual(['efgh', 'bcde', 'ab']);
    const question = bytes.encodeBatch([['Q', 'abcdef']], { ...options, truncation: 'only_second' });
    expect(question.map(({ inputIds }) => bytes.decode(inputIds))).toEqual(['Qabc', 'Qcde', 'Qef']);
    expect(question[1]!.sequenceIds).toEqual([null, 0, 1, 1, 1]);
  });

  it('loses no token, whatever the sizes', () => {
    const sizes = fc.record({
      text: fc.string({ unit: fc.constantFrom('a', 'b', 'c', 'd'), minLength: 1, maxLength: 40 }),
      size: fc.integer({ min: 1, max: 9 }),
      stride: fc.nat(8),
      truncationSide: fc.constantFrom('left', 'right'),
    });
    fc.assert(
      fc.property(sizes, ({ text, size, stride, truncationSide }) => {
        fc.pre(stride < size);
        const overflow = { truncation: true, returnOverflowingTokens: true, maxLength: size + 1 } as const;
        const parts = bytes.encodeBatch([text], { ...overflow, stride, truncationSide });
        const texts = parts.map(({ inputIds }) => bytes.decode(inputIds));
        if (truncationSide === 'left') texts.reverse();
        const joined = texts.reduce((all, part, i) => {
          const shared = truncationSide === 'right' || i > 1 ? stride : Math.min(stride, texts[0]!.length);
          return all + part.slice(shared);
        });
        expect(texts.every((part) => part.length <= size)).toBe(true);
        expect(joined).toBe(text);
      }),
      { seed: 3 },
    );
  });
});

describe('what cannot be had', () => {
  it.each<[string, BatchOptions, string]>([
    [
      'a length that is none',
      { truncation: true, maxLength: 0 },
      'maxLength must be a whole number of 1 or more, got 0',
    ],
    [
      'no length',
      { truncation: true },
      'truncation needs maxLength, and tokenizer_config.json has no model_max_length',
    ],
    ['no length to fill up to', { padding: 'max_length' }, 'padding needs maxLength'],
    ['no room', { truncation: true, maxLength: 1 }, 'expected more than 1 special tokens, got 1'],
    [
      'a multiple of nothing',
      { padding: true, padToMultipleOf: 0 },
      'padToMultipleOf must be a whole number of 1 or more',
    ],
    [
      'a stride below 0',
      { truncation: true, maxLength: 3, stride: -1 },
      'stride must be a whole number of 0 or more, got -1',
    ],
    [
      'a stride that stands still',
      { truncation: true, maxLength: 3, stride: 2, returnOverflowingTokens: true },
      'stride must be less than the tokens of the text in a row: expected at most 1, got 2',
    ],
    ['overflow of nothing', { returnOverflowingTokens: true }, 'set truncation too'],
    [
      'a second text that is not there',
      { truncation: 'only_second', maxLength: 3 },
      'expected [text, textPair], got a text',
    ],
    [
      "another library's name",
      { max_length: 3 } as object,
      'there is no option max_length; expected addSpecialTokens, ',
    ],
    ['another padding', { padding: 'longst' as never }, 'padding must be one of true, false, longest, max_length, got'],
    ['another truncation', { truncation: 'first' as never, maxLength: 3 }, 'truncation must be one of true, false,'],
    ['a side that is none', { paddingSide: 'Left' as never }, 'paddingSide must be one of left, right, got Left'],
    ['an end that is none', { truncationSide: 'end' as never }, 'truncationSide must be one of left, right, got end'],
  ])('refuses %s', (_, options, message) => {
    expect(() => bytes.encodeBatch(['abcdef'], options)).toThrow(RangeError);
    expect(() => bytes.encodeBatch(['abcdef'], options)).toThrow(`encodeBatch: `);
    expect(() => bytes.encodeBatch(['abcdef'], options)).toThrow(message);
  });

  it('refuses pairs that cannot be cut as asked', () => {
    const pair = [['abcdef', 'xyz']] as const;
    expect(() => bytes.encodeBatch(pair, { truncation: 'only_second', maxLength: 7 })).toThrow(
      'with truncation only_second the other text must leave room: expected at most 5 tokens of it, got 6',
    );
    expect(() => bytes.encodeBatch(pair, { truncation: true, maxLength: 7, returnOverflowingTokens: true })).toThrow(
      'expected truncation only_first or only_second, got longest_first',
    );
  });

  it('refuses to pad where there is no token for it', () => {
    const tokenizer = new Tokenizer(new ByteTokenizer().toJson());
    expect(() => tokenizer.encodeBatch(['a'], { padding: true })).toThrow('names no pad_token: give padTokenId');
  });
});

describe('post-processors', () => {
  const withProcessor = (post_processor: unknown) => new Tokenizer({ ...new ByteTokenizer().toJson(), post_processor });

  it('reads those of BERT and RoBERTa', () => {
    const [bert] = withProcessor({ type: 'BertProcessing', cls: ['<s>', 1], sep: ['</s>', 2] }).encodeBatch([
      ['a', 'b'],
    ]);
    expect(bert!.inputIds).toEqual([1, ...ids('a'), 2, ...ids('b'), 2]);
    expect(bert!.tokenTypeIds).toEqual([0, 0, 0, 1, 1]);
    const roberta = { type: 'RobertaProcessing', cls: ['<s>', 1], sep: ['</s>', 2], trim_offsets: true };
    const [row] = withProcessor(roberta).encodeBatch([['a', 'b']]);
    expect(row!.inputIds).toEqual([1, ...ids('a'), 2, 2, ...ids('b'), 2]);
    expect(row!.tokenTypeIds).toEqual([0, 0, 0, 0, 0, 0]);
  });

  it('names what it does not know', () => {
    expect(() => withProcessor({ type: 'Sparkle' })).toThrow('Unknown PostProcessor type: Sparkle');
    const several = [{ type: 'BertProcessing', cls: ['<s>', 1], sep: ['</s>', 2] }];
    expect(() => withProcessor({ type: 'Sequence', processors: [...several, ...several] })).toThrow(
      'post_processor: expected one that adds tokens in a Sequence, got several',
    );
    expect(() => withProcessor({ type: 'BertProcessing', cls: '<s>', sep: ['</s>', 2] })).toThrow(
      'expected a token and its id, such as ["[SEP]", 102], got "<s>"',
    );
    const template = { type: 'TemplateProcessing', single: [{ SpecialToken: { id: '<x>', type_id: 0 } }], pair: [] };
    expect(() => withProcessor(template)).toThrow('post_processor: the special token <x> has no id');
  });
});
