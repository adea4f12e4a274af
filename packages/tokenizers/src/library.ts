import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import { forLibrary } from './for-library.js';
import { isObject, type Json } from './json.js';

/** What is used of `@huggingface/tokenizers`, whose own types do not resolve in ES modules. */
export interface Library {
  readonly normalizer: null | { normalize(text: string): string };
  readonly pre_tokenizer: null | { pre_tokenize(text: string, options?: { section_index?: number }): string[] };
  readonly model: {
    encode: (words: string[]) => string[];
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly unk_token_id?: number;
    readonly fuse_unk: boolean;
  };
  readonly decoder: Decoder | null;
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[]; tokens: string[] };
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_vocab(withAddedTokens: boolean): Map<string, number>;
}

/** A step of decoding, or several. */
interface Decoder {
  text_decoder?: TextDecoder;
  readonly decoders?: readonly Decoder[];
}

/** Opens the content of tokenizer.json and tokenizer_config.json. @throws Error if it is no tokenizer that it can read */
export function openLibrary(json: Json, config: Json): Library {
  const library: Library = new HuggingFaceTokenizer(forLibrary(json), config);
  const { type, byte_fallback: bytes, unk_token: unknown } = isObject(json.model) ? json.model : {};
  if (type === 'Unigram' && bytes === true) spellUnknown(library.model);
  if (type === 'WordLevel') lookUpWhole(library.model, String(unknown));
  keepByteOrderMarks(library.decoder);
  return library;
}

/** Has tokens of bytes decoded as they are: a byte order mark that a run of them begins with belongs to the text. */
function keepByteOrderMarks(decoder: Decoder | null): void {
  if (decoder?.text_decoder) decoder.text_decoder = new TextDecoder('utf-8', { ignoreBOM: true });
  for (const step of decoder?.decoders ?? []) keepByteOrderMarks(step);
}

/** Has a model give each word that its vocabulary has, and `unknown` for any other. */
function lookUpWhole(model: Library['model'], unknown: string): void {
  const { tokens_to_ids: ids } = model;
  model.encode = (words) => words.map((word) => (ids.has(word) ? word : unknown));
}

/** Has a Unigram model write what it does not know as tokens of bytes, where the vocabulary has all of them. */
function spellUnknown(model: Library['model']): void {
  const { encode, tokens_to_ids: ids } = model;
  const encoder = new TextEncoder();
  const spelled = (piece: string) => {
    if (ids.has(piece)) return [piece];
    const bytes = Array.from(
      encoder.encode(piece),
      (byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`,
    );
    return bytes.every((byte) => ids.has(byte)) ? bytes : [piece];
  };
  model.encode = (words) => encode.call(model, words).flatMap(spelled);
}
