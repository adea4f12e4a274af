import { checkOptions } from '../check-options.js';
import { openLibrary } from '../library.js';
import { Tokenizer } from '../tokenizer.js';
import { learnMerges } from './learn-merges.js';
import {
  addedToken,
  countWords,
  firstTokens,
  specialTokensOf,
  TRAINING_OPTIONS,
  type TrainingOptions,
  vocabObject,
  wordsAsSymbols,
} from './vocabulary.js';

/** How a WordPiece tokenizer is trained. */
export interface WordPieceTrainingOptions extends TrainingOptions {
  /** Capital letters become small ones. Default true. */
  lowercase?: boolean;
  /** Accents are dropped. Default: as `lowercase`. */
  stripAccents?: boolean;
  /** Each Chinese character is a word. Default true. */
  handleChineseChars?: boolean;
  /** Characters that are in the alphabet even where the texts have none of them. */
  initialAlphabet?: Iterable<string>;
  /** Characters in the alphabet at most, the most frequent ones; words with others become `[UNK]`. Default 1000. */
  limitAlphabet?: number;
}

const SPECIALS = { pad: '[PAD]', unk: '[UNK]', cls: '[CLS]', sep: '[SEP]', mask: '[MASK]' } as const;
const PREFIX = '##';

/**
 * Trains a WordPiece tokenizer, the kind of BERT: words are split at spaces and punctuation, and looked up piece by piece,
 * longest first; pieces inside a word begin with `##`.
 *
 * The vocabulary is learned by merging the most frequent pairs, as in Hugging Face's trainer (Google's own was never
 * published). Ids: `[PAD] [UNK] [CLS] [SEP] [MASK]` and your special tokens, the alphabet, those of it that stand inside words with
 * `##`, then merges. The same texts give the same tokenizer, in whatever order they come.
 *
 * @param texts - any iterable; read once
 * @throws RangeError if `vocabSize` has no room for the special tokens and the alphabet, or an option does not exist
 * @throws TokenizerError if a special token comes twice
 * @see Devlin et al. 2019, https://arxiv.org/abs/1810.04805
 * @example
 * trainWordPiece(lines, { vocabSize: 8192 }).encode('a small example');
 */
export function trainWordPiece(texts: Iterable<string>, options: WordPieceTrainingOptions): Tokenizer {
  const own = ['initialAlphabet', 'limitAlphabet', 'lowercase', 'stripAccents', 'handleChineseChars'];
  checkOptions('trainWordPiece', options, [...TRAINING_OPTIONS, ...own]);
  const { vocabSize, minFrequency = 2, maxTokenLength = Number.POSITIVE_INFINITY, specialTokens } = options;
  const normalizer = normalizerJson(options);
  const counts = countWords(texts, wordSplitter(normalizer));
  const specials = specialTokensOf(specialTokens, Object.values(SPECIALS), true);
  const characters = alphabetOf(counts, options);
  const pieces = [...characters, ...insideWords(counts, characters)];
  const vocab = firstTokens('trainWordPiece', specials, pieces, vocabSize);
  const words = wordsAsSymbols(counts, vocab, (word) => [...word].map((c, i) => (i === 0 ? c : PREFIX + c)));
  const join = (left: string, right: string) => left + right.slice(PREFIX.length); // only a word's first piece has none
  const learned = learnMerges({ words, vocab, vocabSize, minFrequency, maxTokenLength, join });
  return new Tokenizer(wordPieceJson(learned.vocab, specials, normalizer), {
    tokenizer_class: 'BertTokenizer',
    do_lower_case: normalizer.lowercase,
    strip_accents: normalizer.strip_accents,
    tokenize_chinese_chars: normalizer.handle_chinese_chars,
    clean_up_tokenization_spaces: false,
    ...Object.fromEntries(Object.entries(SPECIALS).map(([role, token]) => [`${role}_token`, token])),
  });
}

function normalizerJson({ lowercase = true, stripAccents, handleChineseChars = true }: WordPieceTrainingOptions) {
  return {
    type: 'BertNormalizer',
    clean_text: true,
    handle_chinese_chars: handleChineseChars,
    strip_accents: stripAccents ?? null,
    lowercase,
  };
}

/** The words of a text, by the same normalizer and splitter that will encode. */
function wordSplitter(normalizer: ReturnType<typeof normalizerJson>): (text: string) => string[] {
  const library = openLibrary(wordPieceJson([], [], normalizer), {});
  return (text) => library.pre_tokenizer!.pre_tokenize(library.normalizer!.normalize(text));
}

/** The characters that are kept, sorted; of equally frequent ones the first are kept. */
function alphabetOf(
  counts: ReadonlyMap<string, number>,
  { initialAlphabet = [], limitAlphabet = 1000 }: WordPieceTrainingOptions,
): string[] {
  const frequency = new Map<string, number>();
  for (const [word, count] of counts) {
    for (const character of word) frequency.set(character, (frequency.get(character) ?? 0) + count);
  }
  for (const character of initialAlphabet) frequency.set(character, Number.POSITIVE_INFINITY);
  const sorted = [...frequency].sort(([a, m], [b, n]) =>
    m === n ? a.codePointAt(0)! - b.codePointAt(0)! : n > m ? 1 : -1,
  );
  const kept = sorted.slice(0, limitAlphabet).map(([character]) => character);
  return kept.sort((a, b) => a.codePointAt(0)! - b.codePointAt(0)!);
}

/** The pieces of one character that stand inside words; a comma, a word of its own, has none. */
function insideWords(counts: ReadonlyMap<string, number>, characters: readonly string[]): string[] {
  const seen = new Set<string>();
  for (const word of counts.keys()) for (const character of [...word].slice(1)) seen.add(character);
  return characters.filter((character) => seen.has(character)).map((character) => PREFIX + character);
}

function wordPieceJson(
  vocab: readonly string[],
  specials: readonly string[],
  normalizer: ReturnType<typeof normalizerJson>,
): Record<string, unknown> {
  const special = (token: string, type: number) => ({ SpecialToken: { id: token, type_id: type } });
  const text = (name: 'A' | 'B', type: number) => ({ Sequence: { id: name, type_id: type } });
  const single = [special(SPECIALS.cls, 0), text('A', 0), special(SPECIALS.sep, 0)];
  const named = (token: string) => [token, { id: token, ids: [vocab.indexOf(token)], tokens: [token] }];
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map(addedToken),
    normalizer,
    pre_tokenizer: { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single,
      pair: [...single, text('B', 1), special(SPECIALS.sep, 1)],
      special_tokens: Object.fromEntries([SPECIALS.cls, SPECIALS.sep].map(named)),
    },
    decoder: { type: 'WordPiece', prefix: PREFIX, cleanup: true },
    model: {
      type: 'WordPiece',
      unk_token: SPECIALS.unk,
      continuing_subword_prefix: PREFIX,
      max_input_chars_per_word: 100,
      vocab: vocabObject(vocab),
    },
  };
}
