import type { KeyValueCache } from '@burin/attention';
import type { Generator } from '@burin/tensor';
import type { LogitsProcessor } from './logits-processors.js';

/** Where keys and values are kept: see `@burin/attention`. */
export type CacheKind = 'dynamic' | 'static' | 'sliding' | 'quantized';

/** What makes text of ids: a tokenizer. */
export interface TokenDecoder {
  decode(ids: readonly number[], options?: { skipSpecialTokens?: boolean }): string;
}

/** The part of an `AbortSignal` that is used here, as the language alone knows no signals. */
export interface AbortSignalLike {
  /** Throws the reason where the signal was aborted. */
  throwIfAborted(): void;
}

/** What changes the logits before a token is chosen. Null: nothing, whatever generation_config.json says. */
export interface ProcessorOptions {
  /** Draw from the distribution instead of taking the likeliest. Default false. */
  doSample?: boolean;
  /** Below 1 sharpens, above 1 flattens. Read where sampling only, as topK, topP and minP. Default 1. */
  temperature?: number | null;
  /** Draw among the k likeliest. */
  topK?: number | null;
  /** Draw among the likeliest that hold this probability together. */
  topP?: number | null;
  /** Draw among those that are at least this share as likely as the likeliest. */
  minP?: number | null;
  /** Above 1 makes tokens that are there already less likely, the prompt's too. */
  repetitionPenalty?: number | null;
  /** Taken from the logit of each token that was added already. */
  presencePenalty?: number | null;
  /** Taken from the logit of a token for each time that it was added already. */
  frequencyPenalty?: number | null;
  /** So many tokens in a row never come twice. */
  noRepeatNgramSize?: number | null;
  /** Sequences of tokens that never come. */
  badWordsIds?: readonly (readonly number[])[] | null;
  /** Tokens that never come. */
  suppressTokens?: readonly number[] | null;
  /** Tokens that do not come first. */
  beginSuppressTokens?: readonly number[] | null;
  /** The token after a decoder's start token. */
  forcedBosTokenId?: number | null;
  /** What the last token is where there is room for no more. */
  forcedEosTokenId?: number | readonly number[] | null;
  /** No end token before the row has so many tokens. */
  minLength?: number | null;
  /** No end token before so many were added. */
  minNewTokens?: number | null;
  /** A row ends with one of these. An empty list goes on to the end. */
  eosTokenIds?: readonly number[];
  /** Your own, after the penalties and before temperature, as in transformers. */
  logitsProcessors?: readonly LogitsProcessor[];
}

/**
 * How `generate` goes on, and when it ends. What is left out is read from the model's generation_config.json, or from
 * config.json where there is none; what neither has, is as said here.
 */
export interface GenerateOptions extends ProcessorOptions {
  /** How many tokens to add at most. Default 20. Goes before `maxLength`. */
  maxNewTokens?: number;
  /** How many tokens a row has at most, its prompt's too. */
  maxLength?: number;
  /** Texts that end a row as soon as they are complete in what was added. Need the tokenizer. */
  stopStrings?: readonly string[] | null;
  /** Makes text of ids, for `stopStrings`. */
  tokenizer?: TokenDecoder;
  /** Draws; it goes on from where it was. Sampling needs it, or `seed`. */
  rng?: Generator;
  /**
   * One number: each row draws from a stream of its own, by its place, so that what it draws does not depend on the rows
   * beside it. A list has one for each row, which draws the same wherever it stands.
   */
  seed?: number | readonly number[];
  /** Sequences for each prompt: drawn ones, or the best beams. They follow each other. Default 1. */
  numReturnSequences?: number;
  /** Texts that beam search follows at once. Default 1: none. */
  numBeams?: number;
  /** Beam search divides a text's log probability by its new tokens to this power. Default 1; above favours long ones. */
  lengthPenalty?: number;
  /**
   * Beam search ends with as many ended texts as beams (true), when a better one is unlikely by its length now (false, the
   * default), or when there can be none (`'never'`).
   */
  earlyStopping?: boolean | 'never';
  /** Keep keys and values of earlier tokens instead of computing them again. Default true. */
  useCache?: boolean;
  /** Which cache a layer has. Default `'dynamic'`. `'quantized'` has 8 bits; for 4: `() => new QuantizedCache({ bits: 4 })`. */
  cache?: CacheKind | ((layer: number) => KeyValueCache);
  /** Ends generation with an error; all memory is freed. */
  signal?: AbortSignalLike;
  /** Called with the tokens of each step, one a row (null where a row has ended). Not in beam search. */
  onToken?: (tokens: readonly (number | null)[]) => void;
}
