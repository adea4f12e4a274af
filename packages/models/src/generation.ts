import type { Module } from '@burin/nn';
import { type Generator, rand } from '@burin/tensor';
import type { CausalModel, NextTokenModel } from './causal-model.js';
import { Decoding } from './decoding.js';
import {
  drawToken,
  type LogitsProcessor,
  likeliestToken,
  repetitionPenalty,
  temperature,
  topK,
  topP,
} from './logits-processors.js';

/** How {@link generate} goes on, and when it ends. */
export interface GenerateOptions {
  /** How many tokens to add at most. Default 20. */
  maxNewTokens?: number;
  /** Draw from the distribution instead of taking the likeliest. Default false. */
  doSample?: boolean;
  /** Draws; needed to sample. */
  rng?: Generator;
  /** Below 1 sharpens, above 1 flattens. Read where sampling only, as topK and topP. Default 1. */
  temperature?: number;
  /** Draw among the k likeliest. */
  topK?: number;
  /** Draw among the likeliest that hold this probability together. */
  topP?: number;
  /** Above 1 makes tokens that are there already less likely, when sampling or not. */
  repetitionPenalty?: number;
  /** A row ends with one of these. Left out: config.json's `eos_token_id`; an empty list goes on to the end. */
  eosTokenIds?: readonly number[];
  /** Keep keys and values of earlier tokens instead of computing them again. Default true. */
  useCache?: boolean;
  /** Called with the tokens of each step, one a row (null where a row has ended). */
  onToken?: (tokens: readonly (number | null)[]) => void;
}

/**
 * Continues rows of token ids, greedily or by sampling. Rows of different lengths are padded on the left inside; each
 * goes on as it would alone.
 *
 * @returns each row: its prompt and what was added, the end token included
 * @throws RangeError if a row is empty, an id is not in the vocabulary, sampling has no `rng`, the model has no room, or
 *   logits are NaN
 * @example
 * const [ids] = await generate(model, [tokenizer.encode('Once upon a time')], { maxNewTokens: 50 });
 */
export async function generate(
  model: CausalModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions = {},
): Promise<number[][]> {
  return inEvaluation(model, () => continueRows(model, prompts, options));
}

/** The same for whatever says which token is next. */
export async function continueRows(
  model: NextTokenModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions,
): Promise<number[][]> {
  const { maxNewTokens = 20, useCache = true, eosTokenIds = model.config.eosTokenIds } = options;
  const pick = chooser(options);
  const run = new Decoding(model, prompts, maxNewTokens, useCache);
  try {
    for (let step = 0; step < maxNewTokens && !run.finished; step++) {
      const logits = await run.nextLogits();
      const tokens: (number | null)[] = [];
      for (const [r, row] of run.rows.entries()) tokens.push(run.ended[r] ? null : await pick(logits[r]!, row));
      run.append(tokens, eosTokenIds);
      options.onToken?.(tokens);
    }
  } finally {
    run.dispose();
  }
  return run.rows;
}

/** Runs `body` with a model in evaluation mode; each part is as it was when it is done. */
export async function inEvaluation<T>(model: Module, body: () => Promise<T>): Promise<T> {
  const training = [...model.namedModules()].filter(([, module]) => module.training);
  model.eval();
  try {
    return await body();
  } finally {
    for (const [, module] of training) module.training = true;
  }
}

/** The processors that the options ask for, in Hugging Face's order. */
export function processorsOf(options: GenerateOptions): LogitsProcessor[] {
  const processors: LogitsProcessor[] = [];
  if (options.repetitionPenalty !== undefined) processors.push(repetitionPenalty(options.repetitionPenalty));
  if (!options.doSample) return processors;
  if (options.temperature !== undefined) processors.push(temperature(options.temperature));
  if (options.topK !== undefined) processors.push(topK(options.topK));
  if (options.topP !== undefined) processors.push(topP(options.topP));
  return processors;
}

function chooser(options: GenerateOptions): (logits: Float32Array, ids: readonly number[]) => Promise<number> {
  const processors = processorsOf(options);
  const { doSample = false, rng } = options;
  if (doSample && !rng) {
    throw new RangeError('generate: sampling needs a random generator: expected rng: new Generator(seed), got none');
  }
  return async (logits, ids) => {
    if (logits.some(Number.isNaN)) {
      throw new RangeError(`generate: logits are NaN after ${ids.length} tokens; the weights hold NaN or overflow`);
    }
    for (const process of processors) process(logits, ids);
    return doSample ? drawToken(logits, await draw(rng!)) : likeliestToken(logits);
  };
}

async function draw(rng: Generator): Promise<number> {
  const uniform = rand([1], { rng });
  const reading = uniform.item();
  uniform.dispose();
  return reading;
}
