import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';
import type { Json } from './json.js';

/** What is used of `@huggingface/tokenizers`, whose own types do not resolve in ES modules. */
export interface Library {
  readonly normalizer: null | { normalize(text: string): string };
  readonly pre_tokenizer: null | { pre_tokenize(text: string, options?: { section_index?: number }): string[] };
  readonly model: {
    encode(words: string[]): string[];
    readonly tokens_to_ids: ReadonlyMap<string, number>;
    readonly unk_token_id?: number;
    readonly fuse_unk: boolean;
  };
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[]; tokens: string[] };
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string;
  token_to_id(token: string): number | undefined;
  id_to_token(id: number): string | undefined;
  get_vocab(withAddedTokens: boolean): Map<string, number>;
}

/** Opens the content of tokenizer.json and tokenizer_config.json. @throws Error if it is no tokenizer that it can read */
export function openLibrary(json: Json, config: Json): Library {
  return new HuggingFaceTokenizer(json, config);
}
