import type { CausalModel } from './causal-model.js';
import { ConfigReader, type RawConfig } from './config-reader.js';
import type { GenerateOptions } from './generate-options.js';
import { tokenIds } from './head-config.js';
import type { PretrainedModel } from './pretrained-model.js';
import type { Seq2SeqModel } from './seq2seq-model.js';

/** What a generation_config.json can say here. */
export type GenerationDefaults = Pick<GenerateOptions, Read> & { decoderStartTokenId?: number };

type Read =
  | ('doSample' | 'temperature' | 'topK' | 'topP' | 'minP' | 'repetitionPenalty' | 'noRepeatNgramSize')
  | ('badWordsIds' | 'suppressTokens' | 'beginSuppressTokens' | 'forcedBosTokenId' | 'forcedEosTokenId' | 'minLength')
  | ('minNewTokens' | 'eosTokenIds' | 'maxNewTokens' | 'maxLength' | 'stopStrings' | 'numReturnSequences' | 'numBeams')
  | ('lengthPenalty' | 'earlyStopping' | 'useCache');

/** What is not computed here, with the values that change nothing. */
const UNSUPPORTED: Readonly<Record<string, readonly unknown[]>> = {
  guidance_scale: [1],
  sequence_bias: [null],
  encoder_repetition_penalty: [1],
  encoder_no_repeat_ngram_size: [0],
  exponential_decay_length_penalty: [null],
  remove_invalid_values: [false],
  renormalize_logits: [false],
  typical_p: [1],
  top_h: [null],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  watermarking_config: [null],
  penalty_alpha: [0],
  dola_layers: [null],
  num_beam_groups: [1],
  diversity_penalty: [0],
  constraints: [null],
  force_words_ids: [null],
  token_healing: [false],
  max_time: [null],
};

type Kind = (reader: ConfigReader, key: string) => unknown;

const whole: Kind = (reader, key) => reader.integer(key, undefined, 0);
const positive: Kind = (reader, key) => reader.positive(key);
const nonNegative: Kind = (reader, key) => reader.nonNegative(key);
const yes: Kind = (reader, key) => reader.boolean(key, false);
const ids: Kind = (reader, key) => tokenIds(reader, key);

/** The keys that are read, in transformers' names, and what each holds. */
const READ: Readonly<Record<string, readonly [option: keyof GenerationDefaults, kind: Kind]>> = {
  do_sample: ['doSample', yes],
  temperature: ['temperature', nonNegative], // 0 stands in files that do not sample; sampling refuses it
  top_k: ['topK', (reader, key) => reader.integer(key, undefined, 0) || null], // 0: none
  top_p: ['topP', nonNegative],
  min_p: ['minP', nonNegative],
  repetition_penalty: ['repetitionPenalty', positive],
  no_repeat_ngram_size: ['noRepeatNgramSize', whole],
  bad_words_ids: ['badWordsIds', listOfIds],
  suppress_tokens: ['suppressTokens', ids],
  begin_suppress_tokens: ['beginSuppressTokens', ids],
  forced_bos_token_id: ['forcedBosTokenId', whole],
  forced_eos_token_id: ['forcedEosTokenId', ids],
  min_length: ['minLength', whole],
  min_new_tokens: ['minNewTokens', whole],
  eos_token_id: ['eosTokenIds', ids],
  max_new_tokens: ['maxNewTokens', whole],
  max_length: ['maxLength', whole],
  stop_strings: ['stopStrings', strings],
  num_return_sequences: ['numReturnSequences', whole],
  num_beams: ['numBeams', whole],
  length_penalty: ['lengthPenalty', finite],
  early_stopping: ['earlyStopping', earlyStopping],
  use_cache: ['useCache', yes],
  decoder_start_token_id: ['decoderStartTokenId', whole],
};

/** Its configuration is asked for where a model was read from a folder or made by options. */
type AnyGenerator = (CausalModel | Seq2SeqModel) & Partial<Pick<PretrainedModel, 'generationConfig' | 'rawConfig'>>;

/**
 * What a model's files say about generation: generation_config.json, else the same keys in config.json, where they were
 * once.
 *
 * @throws ConfigError that names a key whose value is wrong, or would change the text and is not computed here
 */
export function generationDefaults(model: AnyGenerator): GenerationDefaults {
  const { eosTokenIds } = model.config;
  if (model.generationConfig) {
    return { eosTokenIds, ...readGenerationConfig(model.generationConfig, 'generation_config.json') };
  }
  const raw = model.rawConfig ?? {};
  // transformers' BartConfig has this one where the file is silent
  const ofFamily = raw.model_type === 'bart' && raw.forced_eos_token_id === undefined ? { forced_eos_token_id: 2 } : {};
  const forced = 'encode' in model ? { forcedBosTokenId: model.config.forcedBosTokenId } : {};
  return { ...forced, ...readGenerationConfig({ ...ofFamily, ...raw }, 'config.json'), eosTokenIds };
}

function readGenerationConfig(raw: RawConfig, where: string): GenerationDefaults {
  const reader = new ConfigReader(raw, where);
  for (const [key, neutral] of Object.entries(UNSUPPORTED)) reader.expect(key, ...neutral);
  const read: Record<string, unknown> = {};
  for (const [key, [option, kind]] of Object.entries(READ)) if (reader.has(key)) read[option] = kind(reader, key);
  return read;
}

function finite(reader: ConfigReader, key: string): number {
  const value = reader.raw[key];
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw reader.complaint(key, 'a finite number');
}

function earlyStopping(reader: ConfigReader, key: string): boolean | 'never' {
  const value = reader.raw[key];
  if (typeof value === 'boolean' || value === 'never') return value;
  throw reader.complaint(key, "true, false or 'never'");
}

function strings(reader: ConfigReader, key: string): string[] {
  const value = reader.raw[key];
  const list: unknown[] = Array.isArray(value) ? value : [value];
  if (list.every((each): each is string => typeof each === 'string')) return list;
  throw reader.complaint(key, 'a string or a list of them');
}

function listOfIds(reader: ConfigReader, key: string): number[][] {
  const value = reader.raw[key];
  const isList = (each: unknown): each is number[] => Array.isArray(each) && each.every((id) => Number.isInteger(id));
  if (Array.isArray(value) && value.every(isList)) return value;
  throw reader.complaint(key, 'a list of lists of token ids');
}
