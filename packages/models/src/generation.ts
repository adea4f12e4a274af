import { beamSearch } from './beam-search.js';
import { canGenerate } from './can-generate.js';
import type { CausalModel } from './causal-model.js';
import { ConditionedDecoder } from './conditioned-decoder.js';
import { continueRows, newRows } from './continue-rows.js';
import type { SelectableModel } from './decoding.js';
import { beginEvaluation } from './evaluation.js';
import type { GenerateOptions, TokenDecoder } from './generate-options.js';
import type { FinishReason } from './generated-row.js';
import { type GenerationPlan, planGeneration } from './generation-plan.js';
import { checkRows } from './model-input.js';
import { PretrainedModel } from './pretrained-model.js';
import type { Seq2SeqModel } from './seq2seq-model.js';

/**
 * Continues rows of token ids, or answers them where the model has an encoder: the likeliest tokens, drawn ones, or those
 * of beam search. Rows of different lengths are padded inside; each comes out as it would alone.
 *
 * @returns each row: its prompt (of an encoder-decoder the decoder's start token) and what was added, the end token
 *   included; with `numReturnSequences` so many for each
 * @throws RangeError that names an option, or if a row is empty, an id is not in the vocabulary, the model has no room or
 *   another head, or logits are NaN
 * @throws ConfigError if generation_config.json asks for what is not computed here; what `signal` was aborted with
 * @example
 * const [ids] = await generate(model, [tokenizer.encode('Once upon a time')], { maxNewTokens: 50 });
 */
export async function generate(
  model: CausalModel | Seq2SeqModel,
  prompts: readonly (readonly number[])[],
  options: GenerateOptions = {},
): Promise<number[][]> {
  const plan = planGeneration(model, options);
  if (prompts.length === 0) return [];
  const { decoder, starts, end } = begin(model, prompts, plan);
  try {
    const searches = plan.numBeams > 1 && starts.every((start) => plan.limit(start.length) > 0);
    if (searches) return await beamSearch(decoder, starts, plan);
    const rows = await newRows(starts, plan, plan.stops);
    for await (const tokens of continueRows(decoder, starts, rows, plan)) plan.onToken?.(tokens);
    return rows.map(({ ids }) => ids);
  } finally {
    end();
  }
}

/** What {@link generateStream} gives for each token. */
export interface StreamedToken {
  token: number;
  /** The text that it completes: nothing while a character is not whole, or while a stop string may have begun. */
  text: string;
  /** Why the text ended, with its last token. */
  finishReason: FinishReason | null;
}

/**
 * Continues one prompt, token by token, as text. The texts together are what was added, without the end token and the stop
 * string. Leaving the loop frees all memory, and so does `signal`, which ends it with an error.
 *
 * @throws as {@link generate}; RangeError if several sequences or beams are asked for
 * @example
 * for await (const { text } of generateStream(model, tokenizer.encode('Once upon'), { tokenizer })) show(text);
 */
export async function* generateStream(
  model: CausalModel | Seq2SeqModel,
  prompt: readonly number[],
  options: GenerateOptions & { tokenizer: TokenDecoder },
): AsyncGenerator<StreamedToken, void, undefined> {
  const plan = planGeneration(model, options);
  for (const [name, value] of [
    ['numBeams', plan.numBeams],
    ['numReturnSequences', plan.numReturnSequences],
  ] as const) {
    if (value > 1) throw new RangeError(`generateStream: ${name} must be 1, as there is one stream, got ${value}`);
  }
  const { decoder, starts, end } = begin(model, [prompt], plan);
  try {
    const rows = await newRows(starts, plan, { tokenizer: options.tokenizer, strings: plan.stops?.strings ?? [] });
    for await (const tokens of continueRows(decoder, starts, rows, plan)) {
      plan.onToken?.(tokens);
      const { delta: text, finishReason } = rows[0]!;
      yield { token: tokens[0]!, text, finishReason };
    }
  } finally {
    end();
  }
}

/** What goes on from what: a decoder from its prompts, or from a start token and the states of an encoder. */
interface Begun {
  decoder: SelectableModel;
  starts: readonly (readonly number[])[];
  /** Frees memory and puts the model back as it was. */
  end(): void;
}

function begin(
  model: CausalModel | Seq2SeqModel,
  prompts: readonly (readonly number[])[],
  plan: GenerationPlan,
): Begun {
  checkRows(prompts, 'generate');
  if (model instanceof PretrainedModel) refuseOtherHeads(model);
  const endEvaluation = beginEvaluation(model);
  if (!('encode' in model)) return { decoder: model, starts: prompts, end: endEvaluation };
  try {
    const start = [plan.decoderStartTokenId ?? model.config.decoderStartTokenId];
    const decoder = new ConditionedDecoder(model, prompts);
    const end = () => {
      decoder.dispose();
      endEvaluation();
    };
    return { decoder, starts: prompts.map(() => start), end };
  } catch (error) {
    endEvaluation();
    throw error;
  }
}

function refuseOtherHeads(model: PretrainedModel): void {
  if (canGenerate(model)) return;
  throw new RangeError(
    `generate: ${model.architecture} does not say which token is next: expected a model with a language-model head, ` +
      'such as LlamaForCausalLM',
  );
}
