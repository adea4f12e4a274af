import type { ProcessorOptions } from './generate-options.js';
import {
  badWords,
  forcedBos,
  forcedEos,
  type LogitsProcessor,
  minimumLength,
  noRepeatNgram,
  occurrencePenalties,
  repetitionPenalty,
  suppressAtBegin,
  suppressTokens,
} from './logits-processors.js';
import { minP, temperature, topK, topP } from './logits-warpers.js';

/** The processors that the options ask for, in transformers' order. */
export function processorsOf(options: ProcessorOptions): LogitsProcessor[] {
  const penalties = penaltiesOf(options);
  const own = options.logitsProcessors ?? [];
  return [...penalties, ...lengthsOf(options), ...suppressionsOf(options), ...own, ...warpersOf(options)];
}

function penaltiesOf(options: ProcessorOptions): LogitsProcessor[] {
  const processors: LogitsProcessor[] = [];
  const { presencePenalty: presence, frequencyPenalty: frequency } = options;
  if (given(options.repetitionPenalty, 1)) processors.push(repetitionPenalty(options.repetitionPenalty));
  if (given(presence, 0) || given(frequency, 0)) {
    processors.push(occurrencePenalties({ presence: presence ?? 0, frequency: frequency ?? 0 }));
  }
  if (given(options.noRepeatNgramSize, 0)) processors.push(noRepeatNgram(options.noRepeatNgramSize));
  if (options.badWordsIds?.length) processors.push(badWords(options.badWordsIds, options.eosTokenIds ?? []));
  return processors;
}

function lengthsOf({ minLength, minNewTokens, ...options }: ProcessorOptions): LogitsProcessor[] {
  const processors: LogitsProcessor[] = [];
  if (given(minLength, 0) || given(minNewTokens, 0)) {
    const least = { minLength: minLength ?? 0, minNewTokens: minNewTokens ?? 0 };
    processors.push(minimumLength(least, options.eosTokenIds ?? []));
  }
  const { forcedBosTokenId: bos, forcedEosTokenId: eos } = options;
  if (given(bos)) processors.push(forcedBos(bos));
  if (given(eos)) processors.push(forcedEos(typeof eos === 'number' ? [eos] : eos));
  return processors;
}

function suppressionsOf(options: ProcessorOptions): LogitsProcessor[] {
  const processors: LogitsProcessor[] = [];
  if (options.suppressTokens?.length) processors.push(suppressTokens(options.suppressTokens));
  if (options.beginSuppressTokens?.length) {
    processors.push(suppressAtBegin(options.beginSuppressTokens, { forced: given(options.forcedBosTokenId) }));
  }
  return processors;
}

function warpersOf(options: ProcessorOptions): LogitsProcessor[] {
  const processors: LogitsProcessor[] = [];
  if (!options.doSample) return processors;
  if (given(options.temperature, 1)) processors.push(temperature(options.temperature));
  if (given(options.topK)) processors.push(topK(options.topK));
  if (given(options.topP, 1)) processors.push(topP(options.topP));
  if (given(options.minP, 0)) processors.push(minP(options.minP));
  return processors;
}

/** Whether an option is there, and other than what changes nothing. */
function given<T>(value: T | null | undefined, neutral?: T): value is T {
  return value !== undefined && value !== null && value !== neutral;
}
