import {
  CheckpointError,
  openSafetensors,
  readSafetensors,
  type SafetensorsFile,
  writeSafetensors,
} from '@burin/checkpoint';
import { describe, expect, it } from 'vitest';
import { guardedSource } from './helpers.js';
import { safetensorsMutations } from './mutations.js';

const SEED = 20240229;
const FILES = 2000;
const LIMIT_MS = 10_000; // a file of a few hundred bytes takes well under a millisecond; a busy machine may pause for a second

const good = writeSafetensors(
  [
    { name: 'model.embed.weight', dtype: 'F32', shape: [3, 5], data: Uint8Array.from({ length: 60 }, (_, i) => i) },
    { name: 'model.norm.weight', dtype: 'BF16', shape: [7], data: new Uint8Array(14).fill(7) },
    { name: 'step', dtype: 'I64', shape: [], data: new Uint8Array(8).fill(1) },
    { name: 'empty', dtype: 'F32', shape: [0, 4], data: new Uint8Array(0) },
    { name: 'mask', dtype: 'BOOL', shape: [3], data: new Uint8Array([1, 0, 1]) },
  ],
  { format: 'pt' },
);

/** What came of a file: the message of a clear error, or the names of its tensors. Anything else is thrown. */
function outcome(error: unknown): string {
  if (error instanceof CheckpointError) return error.message;
  throw error;
}

describe(`${FILES} damaged files`, () => {
  const mutations = [...safetensorsMutations(good, SEED, FILES)];

  it('are the same for the same seed, and most of them differ', () => {
    const again = [...safetensorsMutations(good, SEED, FILES)];
    const text = (files: typeof again) =>
      files.map(({ name, bytes }) => `${name}: ${Buffer.from(bytes).toString('latin1')}`);
    expect(text(again).join('\n') === text(mutations).join('\n')).toBe(true);
    expect(new Set(mutations.map(({ bytes }) => Buffer.from(bytes).toString('latin1'))).size).toBeGreaterThan(
      FILES / 2,
    );
  });

  it('are refused with a CheckpointError or read inside the file, without hanging', async () => {
    let refused = 0;
    for (const { name, bytes } of mutations) {
      const start = performance.now();
      const opened = await openSafetensors(guardedSource(bytes)).then(readAll, outcome);
      expect(performance.now() - start, name).toBeLessThan(LIMIT_MS);
      if (typeof opened === 'string') refused++;
      else
        for (const [tensor, data] of opened)
          expect(data.length, `${name}: ${tensor}`).toBeLessThanOrEqual(bytes.length);
    }
    expect(refused).toBeGreaterThan(FILES * 0.75); // the rest have flipped bits in their data, or changes that mean nothing
    expect(refused).toBeLessThan(FILES);
  });

  it('get the same answer from a file and from memory', async () => {
    for (const { name, bytes } of mutations) {
      const ranged = await openSafetensors(guardedSource(bytes)).then(readAll, outcome);
      let whole: ReadonlyMap<string, Uint8Array> | string;
      try {
        const { tensors } = readSafetensors(bytes, 'model.safetensors');
        whole = new Map([...tensors].map(([tensor, { data }]) => [tensor, data]));
      } catch (error) {
        whole = outcome(error);
      }
      expect(whole, name).toEqual(ranged);
    }
  });
});

async function readAll(file: SafetensorsFile): Promise<ReadonlyMap<string, Uint8Array>> {
  const contents = new Map<string, Uint8Array>();
  for (const [name, { byteLength }] of file.tensors) {
    const data = await file.read(name);
    expect(data.length).toBe(byteLength);
    contents.set(name, data);
  }
  await file.close();
  return contents;
}
