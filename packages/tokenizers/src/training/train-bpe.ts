import { checkOptions } from '../check-options.js';
import { Tokenizer } from '../tokenizer.js';
import { byteCharacters } from './bytes.js';
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

/** How a byte-level BPE tokenizer is trained, and what it does besides. */
export interface BpeTrainingOptions extends TrainingOptions {
  /** Put in front of every text that is encoded. */
  bosToken?: string;
  /** Ends a text; a model is trained to say it. `encode` does not add it. */
  eosToken?: string;
  padToken?: string;
  /** Treat a text's first word like the others, as if a space stood before it. Default false. */
  addPrefixSpace?: boolean;
}

/** How GPT-2 splits texts: English contractions, letters, digits, the rest, each with a space before it; spaces. */
const WORDS = /'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+/gu;

/**
 * Trains a byte-level BPE tokenizer, the kind of GPT-2 and Llama 3: any text can be encoded and comes back as it was.
 *
 * Texts are split into words as GPT-2 does; the alphabet is all 256 bytes. Ids: special tokens, bytes (sorted by the
 * character that stands for each), then merges. The same texts give the same tokenizer, in whatever order they come.
 *
 * @param texts - any iterable; read once
 * @throws RangeError if `vocabSize` has no room for the special tokens and 256 bytes, or an option does not exist
 * @throws TokenizerError if a special token comes twice or is one of the bytes
 * @see Radford et al. 2019, "Language Models are Unsupervised Multitask Learners"; Sennrich et al. 2016,
 *   https://arxiv.org/abs/1508.07909
 * @example
 * const tokenizer = trainBpe(lines, { vocabSize: 8192, eosToken: '<|endoftext|>' });
 * await tokenizer.savePretrained('models/mine');
 */
export function trainBpe(texts: Iterable<string>, options: BpeTrainingOptions): Tokenizer {
  checkOptions('trainBpe', options, [...TRAINING_OPTIONS, 'bosToken', 'eosToken', 'padToken', 'addPrefixSpace']);
  const { vocabSize, minFrequency = 2, maxTokenLength = Number.POSITIVE_INFINITY, addPrefixSpace = false } = options;
  const { specialTokens, padToken, bosToken, eosToken } = options;
  const characters = byteCharacters();
  const specials = specialTokensOf(specialTokens, [padToken, bosToken, eosToken]);
  const alphabet = firstTokens('trainBpe', specials, [...characters].sort(), vocabSize);
  const counts = countWords(texts, (text) => wordsOf(text, addPrefixSpace));
  const words = wordsAsSymbols(counts, alphabet, (word) =>
    Array.from(new TextEncoder().encode(word), (byte) => characters[byte]!),
  );
  const join = (left: string, right: string) => left + right;
  const learned = learnMerges({ words, vocab: alphabet, vocabSize, minFrequency, maxTokenLength, join });
  const merges = learned.merges.map(([left, right]) => [learned.vocab[left]!, learned.vocab[right]!]);
  return new Tokenizer(bpeJson(learned.vocab, merges, specials, addPrefixSpace, bosToken), {
    tokenizer_class: 'PreTrainedTokenizerFast',
    clean_up_tokenization_spaces: false,
    ...(padToken !== undefined && { pad_token: padToken }),
    ...(bosToken !== undefined && { bos_token: bosToken }),
    ...(eosToken !== undefined && { eos_token: eosToken }),
  });
}

function wordsOf(text: string, addPrefixSpace: boolean): string[] {
  return (addPrefixSpace && !text.startsWith(' ') ? ` ${text}` : text).match(WORDS) ?? [];
}

function bpeJson(
  vocab: readonly string[],
  merges: string[][],
  specials: readonly string[],
  addPrefixSpace: boolean,
  bosToken: string | undefined,
): Record<string, unknown> {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: addPrefixSpace, trim_offsets: true, use_regex: true };
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map(addedToken),
    normalizer: null,
    pre_tokenizer: byteLevel,
    post_processor:
      bosToken === undefined
        ? byteLevel
        : { type: 'Sequence', processors: [byteLevel, bosTemplate(bosToken, vocab.indexOf(bosToken))] },
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: vocabObject(vocab),
      merges,
    },
  };
}

function bosTemplate(token: string, id: number) {
  const bos = (type: number) => ({ SpecialToken: { id: token, type_id: type } });
  const text = (name: 'A' | 'B', type: number) => ({ Sequence: { id: name, type_id: type } });
  return {
    type: 'TemplateProcessing',
    single: [bos(0), text('A', 0)],
    pair: [bos(0), text('A', 0), bos(1), text('B', 1)],
    special_tokens: { [token]: { id: token, ids: [id], tokens: [token] } },
  };
}
