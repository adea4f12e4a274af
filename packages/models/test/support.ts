import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { BertForSequenceClassification, type CausalModel, LlamaForCausalLM, type LlamaOptions } from '@burin/models';
import { Generator, noGrad, type Tensor, tensor } from '@burin/tensor';
import { afterAll } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** A case of `fixtures/models`, which is a Hugging Face folder. */
export const fixtureFolder = (name: string) => join(ROOT, 'fixtures', 'models', name);

/** Where pretrained models lie: BURIN_SHARED, or `shared` beside the project. */
export const SHARED_MODELS = resolve(ROOT, process.env.BURIN_SHARED ?? '../shared', 'models');

/** Whether they are there; tests of them are skipped, and say so, only where they are not. */
export const hasSharedModels = existsSync(SHARED_MODELS);

/** A path for a new folder, removed when the tests of the file are done. */
export function temporaryFolders(): (name: string) => string {
  const base = mkdtempSync(join(tmpdir(), 'burin-models-'));
  afterAll(() => rmSync(base, { recursive: true, force: true }));
  return (name) => join(base, name);
}

export const rng = (seed = 0) => new Generator(seed);

/** Sizes that are small, odd where they may be, and unequal. */
export const TINY = {
  ...{ vocabSize: 37, hiddenSize: 24, intermediateSize: 20, numHiddenLayers: 2, numAttentionHeads: 4 },
  ...{ numKeyValueHeads: 2, maxPositionEmbeddings: 64, initializerRange: 0.3 }, // large weights, so that mistakes show
} as const;

export function tinyLlama(options: Partial<LlamaOptions> = {}, seed = 1): LlamaForCausalLM {
  return LlamaForCausalLM.create({ ...TINY, ...options }, { rng: rng(seed) });
}

export function tinyBert(options = {}, seed = 1): BertForSequenceClassification {
  const { numKeyValueHeads: _llama, ...sizes } = TINY;
  return BertForSequenceClassification.create({ ...sizes, numLabels: 3, ...options }, { rng: rng(seed) });
}

export const ids = (...rows: number[][]) => tensor(Int32Array.from(rows.flat()), [rows.length, rows[0]!.length]);

export async function logitsOf(model: CausalModel, inputIds: Tensor): Promise<Float32Array> {
  const { logits } = noGrad(() => model.forward({ inputIds }));
  const data = (await logits.data()) as Float32Array;
  logits.dispose();
  return data;
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  return Array.from(a).reduce((largest, value, i) => Math.max(largest, Math.abs(value - b[i]!)), 0);
}
