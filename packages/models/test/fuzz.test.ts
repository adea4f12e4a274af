import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { CheckpointError } from '@burin/checkpoint';
import {
  BertForMaskedLM,
  ConfigError,
  DeepseekV2ForCausalLM,
  fromPretrained,
  type LlamaForCausalLM,
  ModernBertForMaskedLM,
  type PretrainedModel,
  savePretrained,
} from '@burin/models';
import { cpu, noGrad, ShapeError, scope } from '@burin/tensor';
import { describe, expect, it } from 'vitest';
import { modelMutations } from './mutations.js';
import { ids, rng, TINY, temporaryFolders, tinyLlama } from './support.js';

const FILES = 400; // of each model
const LIMIT_MS = 10_000; // a whole load takes a few milliseconds; a busy machine may pause for a second
const MOST_BYTES = 32 * 2 ** 20; // the models take 50 kB; the loader allows a config four times the file and 4 MB

const folder = temporaryFolders();
const { numKeyValueHeads: _llama, ...sizes } = TINY;

const MODELS: [string, () => PretrainedModel][] = [
  ['a Llama', () => tinyLlama({ eosTokenId: 2, hiddenAct: 'silu', tieWordEmbeddings: true })],
  ['a BERT', () => BertForMaskedLM.create(sizes, { rng: rng(1) })],
  ['a ModernBERT', () => ModernBertForMaskedLM.create({ ...sizes, padTokenId: 0, localAttention: 4 }, { rng: rng(1) })],
  [
    'a DeepSeek-V2',
    () =>
      DeepseekV2ForCausalLM.create(
        {
          ...{ ...sizes, qLoraRank: 8, kvLoraRank: 9, qkNopeHeadDim: 5, qkRopeHeadDim: 4, vHeadDim: 7 },
          ...{ moeIntermediateSize: 10, nRoutedExperts: 4, numExpertsPerTok: 2, firstKDenseReplace: 1 },
          ropeScaling: { type: 'yarn', factor: 4, originalMaxPositionEmbeddings: 16 },
        },
        { rng: rng(1) },
      ),
  ],
];

/** The message of a clear error; anything else is thrown. */
function messageOf(error: unknown, name: string): string {
  const clear = [ConfigError, CheckpointError, ShapeError].some((kind) => error instanceof kind);
  // Names that differ are a RangeError of our own; the engine has RangeErrors too, such as of a stack that overflows.
  const names = error instanceof RangeError && error.message.includes('the names must be those of the module');
  if (clear || names) return (error as Error).message;
  throw new Error(`${name}: ${String(error)}`, { cause: error });
}

describe.each(MODELS)(`${FILES} damaged folders of %s`, (what, make) => {
  it('are refused with the file’s name or loaded with the shapes of config.json, at once', async () => {
    const [good, path] = [folder(`good ${what}`), folder(`damaged ${what}`)];
    await savePretrained(make(), good);
    const config = JSON.parse(readFileSync(`${good}/config.json`, 'utf8')) as Record<string, unknown>;
    const weights = new Uint8Array(readFileSync(`${good}/model.safetensors`));
    const { memory } = cpu();
    const before = memory.liveBuffers;
    let refused = 0;
    for (const { name, file, content } of modelMutations(config, weights, 20261122, FILES)) {
      cpSync(good, path, { recursive: true });
      writeFileSync(`${path}/${file}`, content);
      memory.resetPeak();
      const start = performance.now();
      const outcome = await fromPretrained(path).catch((error) => messageOf(error, name));
      expect(performance.now() - start, name).toBeLessThan(LIMIT_MS);
      expect(memory.peakBytes, name).toBeLessThan(MOST_BYTES);
      if (typeof outcome === 'string') {
        refused++;
        expect(outcome, name).toContain(path);
        expect(outcome.length, name).toBeLessThan(2000); // however long the values in the file are
      } else {
        checkModel(outcome as LlamaForCausalLM, name);
        outcome.dispose();
      }
      expect(memory.liveBuffers, name).toBe(before);
      rmSync(path, { recursive: true });
    }
    expect(refused).toBeGreaterThan(FILES / 2);
    expect(refused).toBeLessThan(FILES); // flipped bits of weights, and options that this model does not read
  });
});

function checkModel(model: LlamaForCausalLM, name: string): void {
  scope(() => {
    const { logits } = noGrad(() => model.forward({ inputIds: ids([1, 0, 1]) }));
    const { vocabSize, numLabels } = model.config;
    const expected = logits.shape.length === 2 ? [1, numLabels] : [1, 3, vocabSize];
    expect(logits.shape, name).toEqual(expected);
  });
}
