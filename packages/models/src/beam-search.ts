import { BeamRow, type BeamRules } from './beam-row.js';
import { applyProcessors, cachesOf, nextLogits, refuseNaN } from './continue-rows.js';
import { Decoding, type SelectableModel } from './decoding.js';
import type { GenerationPlan } from './generation-plan.js';

/**
 * The best texts that beam search finds for each prompt: `numReturnSequences` of each, the best first. A prompt is read
 * once; when beams change places their caches do too, and nothing is computed again.
 *
 * @throws RangeError if there are fewer texts than are asked for
 */
export async function beamSearch(
  model: SelectableModel,
  prompts: readonly (readonly number[])[],
  plan: GenerationPlan,
): Promise<number[][]> {
  const rules = rulesOf(plan);
  const rows = prompts.map((prompt) => new BeamRow(prompt, plan.limit(prompt.length), rules));
  const run = new Decoding(model, prompts, cachesOf(model, prompts, plan));
  try {
    let open = rows;
    while (open.length > 0) {
      const logits = await nextLogits(run, plan);
      let first = 0;
      const order: number[] = [];
      const tokens: number[] = [];
      for (const row of open) {
        const slots = row.running.length;
        for (const [beam, { ids }] of row.running.entries()) refuseNaN(logits[first + beam]!, ids.length);
        row.step(logits.slice(first, first + slots));
        for (const { parent, ids } of row.isOpen ? row.running : []) {
          order.push(first + parent);
          tokens.push(ids.at(-1)!);
        }
        first += slots;
      }
      open = open.filter((row) => row.isOpen);
      if (open.length > 0) run.select(order);
      run.push(tokens);
    }
  } finally {
    run.dispose();
  }
  return rows.flatMap(({ finished }, r) => {
    if (finished.length >= plan.numReturnSequences) return best(finished, plan.numReturnSequences);
    throw new RangeError(
      `generate: beam search found only ${finished.length} texts that go on from row ${r}: ` +
        `expected numReturnSequences of at most that, got ${plan.numReturnSequences}`,
    );
  });
}

function best(finished: BeamRow['finished'], count: number): number[][] {
  return finished.slice(0, count).map(({ ids }) => [...ids]);
}

function rulesOf(plan: GenerationPlan): BeamRules {
  const { numBeams, lengthPenalty, earlyStopping, eosTokenIds, stops } = plan;
  return {
    beams: numBeams,
    lengthPenalty,
    earlyStopping,
    eosTokenIds,
    stops(ids, promptLength) {
      if (!stops) return false;
      const text = stops.tokenizer.decode(ids.slice(promptLength));
      return stops.strings.some((string) => text.includes(string));
    },
    process: (logProbabilities, row) => applyProcessors(logProbabilities, row, plan),
  };
}
