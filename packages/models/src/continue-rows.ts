import { Decoding, type SelectableModel } from './decoding.js';
import { drawToken, likeliestToken } from './draw-token.js';
import { GeneratedRow, type RowText } from './generated-row.js';
import type { GenerationPlan } from './generation-plan.js';
import { layerCaches } from './layer-caches.js';
import type { RowProgress } from './logits-processors.js';
import { RowRandom, rowSeeds } from './row-random.js';

/** Rows of a call of `generate`, sampled or greedy: `numReturnSequences` for each prompt. */
export async function newRows(
  prompts: readonly (readonly number[])[],
  plan: GenerationPlan,
  text: RowText | null,
): Promise<GeneratedRow[]> {
  const seeds = plan.doSample ? await rowSeeds(prompts.length, plan.random) : null;
  return prompts.flatMap((prompt, row) =>
    Array.from({ length: plan.numReturnSequences }, (_, sequence) => {
      const random = seeds && new RowRandom(seeds[row]!, sequence);
      return new GeneratedRow(prompt, plan.limit(prompt.length), text, random);
    }),
  );
}

/**
 * Adds a token to each row until all have ended, yielding after each step. A prompt is read once, however many rows go on
 * from it; a row that has ended is computed no more.
 */
export async function* continueRows(
  model: SelectableModel,
  prompts: readonly (readonly number[])[],
  rows: readonly GeneratedRow[],
  plan: GenerationPlan,
): AsyncGenerator<(number | null)[], void, undefined> {
  let live = [...rows.keys()].filter((r) => !rows[r]!.finishReason);
  if (live.length === 0) return;
  const run = new Decoding(model, prompts, cachesOf(model, prompts, plan));
  try {
    let logits = await nextLogits(run, plan);
    if (plan.numReturnSequences > 1) {
      const source = live.map((r) => Math.floor(r / plan.numReturnSequences));
      run.select(source);
      logits = source.map((from) => logits[from]!);
    }
    while (true) {
      const tokens = rows.map((): number | null => null);
      for (const [slot, r] of live.entries()) tokens[r] = await choose(logits[slot]!.slice(), rows[r]!, plan);
      for (const r of live) rows[r]!.push(tokens[r]!, plan.eosTokenIds);
      yield tokens;
      const going = [...live.keys()].filter((slot) => !rows[live[slot]!]!.finishReason);
      if (going.length === 0) return;
      run.select(going);
      live = going.map((slot) => live[slot]!);
      run.push(live.map((r) => tokens[r]!));
      logits = await nextLogits(run, plan);
    }
  } finally {
    run.dispose();
  }
}

/** The caches that a plan asks for, sized for these prompts. */
export function cachesOf(model: SelectableModel, prompts: readonly (readonly number[])[], plan: GenerationPlan) {
  if (!plan.cache) return null;
  const prompt = Math.max(...prompts.map((each) => each.length));
  const most = Math.max(1, ...prompts.map((each) => prompt + plan.limit(each.length)));
  return layerCaches(model.config, plan.cache, { prompt, most });
}

/** @throws RangeError where a logit is NaN; what the plan's signal was aborted with */
export async function nextLogits(run: Decoding, { signal }: GenerationPlan): Promise<Float32Array[]> {
  signal?.throwIfAborted();
  return run.next();
}

/** @throws RangeError if a logit is NaN, or no token is left */
export function applyProcessors(
  logits: Float32Array,
  row: { ids: readonly number[]; progress: RowProgress },
  plan: GenerationPlan,
): void {
  for (const process of plan.processors) process(logits, row.ids, row.progress);
  if (logits.some((logit) => logit > -Infinity)) return;
  throw new RangeError(
    `generate: no token is left to choose after ${row.ids.length} tokens: everything is ruled out by suppressTokens, ` +
      'badWordsIds, noRepeatNgramSize or a processor',
  );
}

export function refuseNaN(logits: Float32Array, length: number): void {
  if (!logits.some(Number.isNaN)) return;
  throw new RangeError(`generate: logits are NaN after ${length} tokens; the weights hold NaN or overflow`);
}

async function choose(logits: Float32Array, row: GeneratedRow, plan: GenerationPlan): Promise<number> {
  refuseNaN(logits, row.ids.length);
  applyProcessors(logits, row, plan);
  return row.random ? drawToken(logits, await row.random.draw()) : likeliestToken(logits);
}
