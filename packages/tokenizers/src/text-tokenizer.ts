/** Text to token ids and back. */
export interface TextTokenizer {
  readonly vocabSize: number;
  /** The id that fills short rows up, or null where the tokenizer names none. */
  readonly padTokenId: number | null;
  readonly bosTokenId: number | null;
  /** Ids that end a text. */
  readonly eosTokenIds: readonly number[];
  /** Ids of a text; with the tokens that the tokenizer puts around it, unless `addSpecialTokens` is false. */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  /** The text of ids; special tokens are left out, unless `skipSpecialTokens` is false. */
  decode(ids: Iterable<number>, options?: { skipSpecialTokens?: boolean }): string;
  /** The content of tokenizer.json. */
  toJson(): Record<string, unknown>;
  /** The content of tokenizer_config.json, where there is one. */
  configJson?(): Record<string, unknown>;
}
