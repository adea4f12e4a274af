import type { KeyValueCache } from '@burin/attention';
import { checkOptions, type Generator } from '@burin/tensor';
import type { CausalModel } from './causal-model.js';
import type { AbortSignalLike, CacheKind, GenerateOptions, TokenDecoder } from './generate-options.js';
import { type GenerationDefaults, generationDefaults } from './generation-config.js';
import type { LogitsProcessor } from './logits-processors.js';
import { processorsOf } from './processors-of.js';
import type { Seq2SeqModel } from './seq2seq-model.js';

/** Every choice of one call of `generate`, made. */
export interface GenerationPlan {
  processors: readonly LogitsProcessor[];
  doSample: boolean;
  /** Tokens that a prompt of this length may get. */
  limit(promptLength: number): number;
  eosTokenIds: readonly number[];
  stops: { strings: readonly string[]; tokenizer: TokenDecoder } | null;
  random: { seed?: number | readonly number[]; rng?: Generator };
  numReturnSequences: number;
  numBeams: number;
  lengthPenalty: number;
  earlyStopping: boolean | 'never';
  /** Null: none. */
  cache: CacheKind | ((layer: number) => KeyValueCache) | null;
  decoderStartTokenId: number | null;
  signal: AbortSignalLike | null;
  onToken: ((tokens: readonly (number | null)[]) => void) | null;
}

/** Tokens that are added where nothing says how many. */
const DEFAULT_NEW_TOKENS = 20;

const OPTIONS: Readonly<Record<keyof GenerateOptions, true>> = {
  ...{ maxNewTokens: true, maxLength: true, minNewTokens: true, minLength: true, eosTokenIds: true, stopStrings: true },
  ...{ tokenizer: true, forcedBosTokenId: true, forcedEosTokenId: true, repetitionPenalty: true },
  ...{
    presencePenalty: true,
    frequencyPenalty: true,
    noRepeatNgramSize: true,
    badWordsIds: true,
    suppressTokens: true,
  },
  ...{ beginSuppressTokens: true, logitsProcessors: true, doSample: true, seed: true, rng: true, temperature: true },
  ...{ topK: true, topP: true, minP: true, numBeams: true, lengthPenalty: true, earlyStopping: true },
  ...{ numReturnSequences: true, cache: true, useCache: true, onToken: true, signal: true },
};

/**
 * Options, what the model's files say where they are silent, and defaults where both are.
 *
 * @throws ConfigError that names a key of the files; RangeError that names an option
 */
export function planGeneration(model: CausalModel | Seq2SeqModel, options: GenerateOptions): GenerationPlan {
  checkOptions('generate', options, Object.keys(OPTIONS), "options have transformers' names in camelCase:");
  const defaults = generationDefaults(model);
  const all: GenerateOptions & GenerationDefaults = { ...defaults, ...defined(options) };
  const { seed, rng } = options;
  const plan: GenerationPlan = {
    processors: processorsOf(all),
    doSample: all.doSample ?? false,
    limit: lengthLimit(options, defaults, model.config.maxPositionEmbeddings),
    eosTokenIds: all.eosTokenIds ?? [],
    stops: stopsOf(all),
    random: { ...(seed !== undefined && { seed }), ...(rng && { rng }) },
    numReturnSequences: all.numReturnSequences ?? 1,
    numBeams: all.numBeams ?? 1,
    lengthPenalty: all.lengthPenalty ?? 1,
    earlyStopping: all.earlyStopping ?? false,
    cache: (all.useCache ?? true) ? (all.cache ?? 'dynamic') : null,
    decoderStartTokenId: all.decoderStartTokenId ?? null,
    signal: all.signal ?? null,
    onToken: all.onToken ?? null,
  };
  checkPlan(plan);
  checkChoices(plan);
  return plan;
}

function defined<T extends object>(options: T): Partial<T> {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as Partial<T>;
}

/** How many tokens a prompt may get: what the call says, else what the files say; a default gives way to the model's room. */
function lengthLimit(options: GenerateOptions, defaults: GenerationDefaults, positions: number) {
  const source = [options, defaults].find((each) => (each.maxNewTokens ?? each.maxLength) !== undefined);
  const { maxNewTokens, maxLength = 0 } = source ?? {};
  for (const [name, value] of Object.entries({ maxNewTokens: maxNewTokens ?? 0, maxLength })) {
    if (Number.isInteger(value) && value >= 0) continue;
    throw new RangeError(`generate: ${name} must be a whole number of 0 or more, got ${value}`);
  }
  return (promptLength: number): number => {
    const room = positions - promptLength + 1; // the last token is not read
    const limit = source ? (maxNewTokens ?? maxLength - promptLength) : Math.min(DEFAULT_NEW_TOKENS, room);
    if (limit < 0 || (limit === 0 && maxNewTokens === undefined)) {
      const most = source ? `maxLength ${maxLength}` : `the model's ${positions} positions`;
      throw new RangeError(`generate: a prompt must be shorter than ${most}, got ${promptLength} tokens`);
    }
    if (limit > room) {
      throw new RangeError(
        `generate: ${promptLength} tokens and ${limit} more do not fit the model's ${positions} positions; ask for fewer`,
      );
    }
    return limit;
  };
}

function stopsOf({ stopStrings, tokenizer }: GenerateOptions): GenerationPlan['stops'] {
  if (!stopStrings || stopStrings.length === 0) return null;
  if (stopStrings.includes('')) throw new RangeError('generate: a stop string must not be empty');
  if (tokenizer) return { strings: stopStrings, tokenizer };
  throw new RangeError('generate: stopStrings need what makes text of ids: expected tokenizer, got none');
}

const CACHES: readonly unknown[] = ['dynamic', 'static', 'sliding', 'quantized', null];

/** What one of a few kinds is expected of: another would be passed over. */
function checkChoices({ cache, earlyStopping, eosTokenIds }: GenerationPlan): void {
  if (typeof cache !== 'function' && !CACHES.includes(cache)) {
    throw new RangeError(`generate: cache must be dynamic, static, sliding, quantized or a function, got ${cache}`);
  }
  if (typeof earlyStopping !== 'boolean' && earlyStopping !== 'never') {
    throw new RangeError(`generate: earlyStopping must be true, false or never, got ${earlyStopping}`);
  }
  if (!Array.isArray(eosTokenIds) || !eosTokenIds.every((id) => Number.isInteger(id))) {
    throw new RangeError(`generate: eosTokenIds must be a list of token ids, such as [2], got ${eosTokenIds}`);
  }
}

function checkPlan({ numBeams, numReturnSequences, lengthPenalty, doSample, onToken }: GenerationPlan): void {
  for (const [name, value] of Object.entries({ numBeams, numReturnSequences })) {
    if (Number.isInteger(value) && value >= 1) continue;
    throw new RangeError(`generate: ${name} must be a whole number of 1 or more, got ${value}`);
  }
  if (!Number.isFinite(lengthPenalty)) {
    throw new RangeError(`generate: lengthPenalty must be a finite number, got ${lengthPenalty}`);
  }
  if (numBeams > 1 && doSample) {
    throw new RangeError(
      `generate: beam search does not sample: expected doSample: false or numBeams: 1, got ${numBeams}`,
    );
  }
  if (numBeams > 1 && onToken) {
    throw new RangeError(
      'generate: beam search knows its tokens at the end only: leave out onToken, or use numBeams: 1',
    );
  }
  const most = doSample ? Infinity : numBeams;
  if (numReturnSequences > most) {
    throw new RangeError(
      `generate: numReturnSequences must be at most the number of beams where nothing is sampled: ` +
        `expected at most ${most}, got ${numReturnSequences}`,
    );
  }
}
