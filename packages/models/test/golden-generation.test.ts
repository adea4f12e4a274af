import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type CausalModel, fromPretrained, type GenerateOptions, generate, type Seq2SeqModel } from '@burin/models';
import { describe, expect, it } from 'vitest';

/** One call of transformers' `generate`, as make_generation.py wrote it. */
interface GenerationCase {
  model: string;
  prompts: number[][];
  options: Record<string, unknown>;
  sequences: number[][];
}

const GOLDEN = fileURLToPath(new URL('golden/', import.meta.url));
const lines = readFileSync(`${GOLDEN}generation.jsonl`, 'utf8').trim().split('\n');
const golden = lines.map((line) => JSON.parse(line) as GenerationCase);
const models = [...new Set(golden.map(({ model }) => model))];

/** Options by our names. */
function optionsOf(options: Record<string, unknown>): GenerateOptions {
  const entries = Object.entries(options).map(([key, value]) => [
    key.replace(/_([a-z])/g, (_, letter: string) => letter.toUpperCase()),
    value,
  ]);
  return { forcedEosTokenId: null, ...Object.fromEntries(entries) };
}

describe.each(models)('%s generates what transformers does', (name) => {
  const cases = golden.filter(({ model }) => model === name);

  it(`in ${cases.length} ways, with the cache and without`, { timeout: 120_000 }, async () => {
    const model = (await fromPretrained(`${GOLDEN}${name}`)) as unknown as CausalModel | Seq2SeqModel;
    for (const [i, { prompts, options, sequences }] of cases.entries()) {
      const made = await generate(model, prompts, optionsOf(options));
      expect(made, JSON.stringify({ prompts, options })).toEqual(sequences);
      if (i % 4 > 0) continue; // slow
      expect(await generate(model, prompts, { ...optionsOf(options), useCache: false })).toEqual(sequences);
    }
  });
});
