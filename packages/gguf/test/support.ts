import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LlamaForCausalLM, type LlamaOptions } from '@burin/models';
import { Generator, type Tensor } from '@burin/tensor';
import { afterAll } from 'vitest';

/** A path for a new file or folder, removed when the tests of the file are done. */
export function temporaryPaths(): (name: string) => string {
  const base = mkdtempSync(join(tmpdir(), 'burin-gguf-'));
  afterAll(() => rmSync(base, { recursive: true, force: true }));
  return (name) => join(base, name);
}

export const rng = (seed = 1) => new Generator(seed);

/** Widths of whole blocks, but for the hidden width of the feed-forward, which has none. */
export const TINY = {
  ...{ vocabSize: 37, hiddenSize: 64, intermediateSize: 40, numHiddenLayers: 2, numAttentionHeads: 4 },
  ...{ numKeyValueHeads: 2, maxPositionEmbeddings: 64, initializerRange: 0.3 },
} as const;

export function tinyLlama(options: Partial<LlamaOptions> = {}): LlamaForCausalLM {
  return LlamaForCausalLM.create({ ...TINY, ...options }, { rng: rng() });
}

export async function valuesOf(tensor: Tensor): Promise<number[]> {
  return [...(await tensor.data())];
}

/** The rows of heads of `headDim` elements, of which first halves turn with second ones, so that neighbours do. */
export function neighbours(values: number[], columns: number, headDim: number): number[] {
  const rows = Array.from({ length: values.length / columns }, (_, r) => values.slice(r * columns, (r + 1) * columns));
  const turned: number[][] = [];
  for (let head = 0; head < rows.length; head += headDim) {
    for (let i = 0; i < headDim / 2; i++) turned.push(rows[head + i]!, rows[head + headDim / 2 + i]!);
  }
  return turned.flat();
}
