import { TokenizerError } from './errors.js';
import { isObject, type Json, objectsIn } from './json.js';
import { splitterForLibrary } from './splitter-for-library.js';

/** A capital sigma by itself becomes σ; JavaScript writes ς where it ends a word. */
const SIGMA = { type: 'Replace', pattern: { String: 'Σ' }, content: 'σ' };

/** Chinese characters beyond the first plane, as Hugging Face's own library counts them. */
export const FAR_CHINESE = '[\\u{20000}-\\u{2a6df}\\u{2a700}-\\u{2b81f}\\u{2b920}-\\u{2ceaf}\\u{2f800}-\\u{2fa1f}]';

/**
 * A tokenizer.json in the words in which `@huggingface/tokenizers` makes of it what Hugging Face's own library does: some
 * kinds of steps it takes for others, or reads as JavaScript's letters, digits and spaces go.
 *
 * @throws TokenizerError for what it would get wrong and no words are known for, or without a model
 */
export function forLibrary(json: Json): Json {
  const { normalizer, pre_tokenizer: splitter, model, post_processor: processor, decoder, added_tokens: added } = json;
  return {
    ...json,
    normalizer: normalizerFor(normalizer ?? null),
    pre_tokenizer: splitterForLibrary(splitter ?? null),
    model: modelFor(model),
    post_processor: processor ?? null,
    decoder: decoderFor(decoder ?? null),
    added_tokens: added ?? [],
  };
}

function normalizerFor(normalizer: unknown): unknown {
  if (!isObject(normalizer)) return normalizer;
  const before = (...steps: Json[]) => ({ type: 'Sequence', normalizers: [...steps, normalizer] });
  switch (normalizer.type) {
    case 'Sequence':
      return { ...normalizer, normalizers: objectsIn(normalizer.normalizers).map(normalizerFor) };
    case 'Lowercase':
      return before(SIGMA);
    case 'Strip':
      return { type: 'Sequence', normalizers: stripSteps(normalizer) };
    case 'BertNormalizer': {
      const setApart = { type: 'Replace', pattern: { Regex: FAR_CHINESE }, content: ' $& ' };
      return before(...(normalizer.lowercase ? [SIGMA] : []), ...(normalizer.handle_chinese_chars ? [setApart] : []));
    }
    default:
      return normalizer;
  }
}

function stripSteps({ strip_left: left, strip_right: right }: Json): Json[] {
  const drop = (source: string) => ({ type: 'Replace', pattern: { Regex: source }, content: '' });
  return [...(left ? [drop('\\A\\p{White_Space}+')] : []), ...(right ? [drop('\\p{White_Space}+\\z')] : [])];
}

function modelFor(model: unknown): unknown {
  if (!isObject(model)) throw new TokenizerError(`tokenizer.json: model: expected an object, got ${String(model)}`);
  const { type, continuing_subword_prefix: prefix } = model;
  if (type === 'BPE' && typeof prefix === 'string' && prefix !== '') {
    throw new TokenizerError(
      `tokenizer.json: model: continuing_subword_prefix of a BPE must be empty, got ${JSON.stringify(prefix)}`,
    );
  }
  return type === 'WordLevel' ? { ...model, type: 'WordPiece' } : model; // the vocabulary of one; words are looked up whole
}

/** Where nothing is put in front of a text, nothing is taken away. */
function decoderFor(decoder: unknown): unknown {
  if (!isObject(decoder)) return decoder;
  if (decoder.type === 'Sequence') return { ...decoder, decoders: objectsIn(decoder.decoders).map(decoderFor) };
  if (decoder.type !== 'Metaspace' || decoder.prepend_scheme !== 'never') return decoder;
  return { type: 'Replace', pattern: { String: String(decoder.replacement ?? '\u2581') }, content: ' ' };
}
