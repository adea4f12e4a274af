import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { QuantizedCache } from '@burin/attention';
import { type CausalModel, fromPretrained, type GenerateOptions, generate, type Seq2SeqModel } from '@burin/models';
import { cpu } from '@burin/tensor';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

/**
 * Every generating model that make_golden.py or another script wrote: a new architecture joins by itself. Not those whose
 * rotary angles depend on the longest text of the batch: a row beside a longer one is another row there, in transformers too.
 */
const GOLDEN = fileURLToPath(new URL('golden/', import.meta.url));
const FIXTURES = fileURLToPath(new URL('../../../fixtures/models/', import.meta.url));
const GENERATES = /For(CausalLM|ConditionalGeneration)$|LMHeadModel$/;

function generating(folder: string): string[] {
  const entries = readdirSync(folder, { withFileTypes: true });
  return entries.flatMap((entry) => {
    if (!entry.isDirectory()) return [];
    const config = JSON.parse(readFileSync(`${folder}${entry.name}/config.json`, 'utf8')) as {
      architectures?: string[];
      rope_scaling?: unknown;
      rope_parameters?: unknown;
    };
    const turnsByLength = /dynamic|longrope/.test(
      JSON.stringify(config.rope_scaling ?? config.rope_parameters ?? null),
    );
    return GENERATES.test(config.architectures?.[0] ?? '') && !turnsByLength ? [`${folder}${entry.name}`] : [];
  });
}

const folders = [...generating(GOLDEN), ...generating(FIXTURES)].map(
  (path) => [path.split('/').at(-1)!, path] as const,
);

/** Of different lengths, so that all but one are padded. */
const PROMPTS = [[3], [1, 5, 9, 4, 30, 7], [4, 8, 3], [22, 6, 12, 13]];

const WAYS: [name: string, options: GenerateOptions][] = [
  ['greedily', {}],
  ['with penalties', { repetitionPenalty: 1.3, presencePenalty: 0.5, frequencyPenalty: 0.2, noRepeatNgramSize: 3 }],
  ['in beams', { numBeams: 3, numReturnSequences: 2, lengthPenalty: 0.7 }],
  ['by drawing', { doSample: true, seed: [5, 6, 7, 8], topP: 0.9, minP: 0.02, numReturnSequences: 2 }],
];

describe.each(folders)('%s', (_, folder) => {
  let model: CausalModel | Seq2SeqModel;
  beforeAll(async () => {
    model = (await fromPretrained(folder)) as unknown as CausalModel | Seq2SeqModel;
  });
  afterAll(() => (model as CausalModel).dispose());
  const common = { maxNewTokens: 8, eosTokenIds: [2, 11, 23] };

  it.each(WAYS)('continues a padded batch as each row alone, %s', { timeout: 60_000 }, async (_way, options) => {
    const batch = await generate(model, PROMPTS, { ...common, ...options });
    const copies = options.numReturnSequences ?? 1;
    expect(batch.length).toBe(copies * PROMPTS.length);
    expect(await generate(model, PROMPTS, { ...common, ...options, useCache: false })).toEqual(batch);
    for (const [r, prompt] of PROMPTS.entries()) {
      const seed = Array.isArray(options.seed) ? { seed: [options.seed[r] as number] } : {};
      const alone = await generate(model, [prompt], { ...common, ...options, ...seed });
      expect(alone, `row ${r}`).toEqual(batch.slice(copies * r, copies * (r + 1)));
    }
  });

  it('does so with each cache, greedily and in beams', { timeout: 60_000 }, async () => {
    const { slidingWindows = [] } = model.config as CausalModel['config'];
    const before = cpu().memory.liveBytes;
    for (const options of [
      { ...common, eosTokenIds: [] },
      { ...common, numBeams: 2 },
    ]) {
      const expected = await generate(model, PROMPTS, options);
      // nothing is packed before 16 tokens were added, so that this one is exact too
      const residual = () => new QuantizedCache({ residualLength: 16, blockSize: 16 });
      const sliding = slidingWindows.some((window) => window !== null) ? (['sliding'] as const) : [];
      for (const cache of ['static', residual, ...sliding] as const) {
        expect(await generate(model, PROMPTS, { ...options, cache }), String(cache)).toEqual(expected);
      }
      if (sliding.length > 0) continue;
      await expect(generate(model, PROMPTS, { ...options, cache: 'sliding' })).rejects.toThrow(
        "generate: cache: 'sliding' is for layers that see a window, and this model has none",
      );
    }
    expect(cpu().memory.liveBytes).toBe(before);
  });
});
