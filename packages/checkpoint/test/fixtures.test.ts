import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fileSource, openSafetensors, readSafetensors, writeSafetensors } from '@burin/checkpoint';
import { describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const fixtures = resolve(root, 'fixtures');
const models = resolve(root, process.env.BURIN_SHARED ?? '../shared', 'models');

function safetensorsUnder(folder: string): string[] {
  const names = existsSync(folder) ? readdirSync(folder, { recursive: true, encoding: 'utf8' }) : [];
  return names
    .filter((name) => name.endsWith('.safetensors'))
    .sort()
    .map((name) => resolve(folder, name));
}

/** Reads every tensor by range and whole, and writes all of them again. */
async function expectReadable(path: string): Promise<void> {
  const bytes = readFileSync(path);
  const whole = readSafetensors(bytes, path);
  const file = await openSafetensors(await fileSource(path));
  expect([...file.tensors.keys()]).toEqual([...whole.tensors.keys()]);
  expect(whole.tensors.size).toBeGreaterThan(0);
  const again = writeSafetensors(whole.tensors.values(), whole.metadata);
  const reread = readSafetensors(again).tensors;
  for (const { name, data } of whole.tensors.values()) {
    const same = equal(await file.read(name), data) && equal(reread.get(name)!.data, data);
    if (!same) expect.fail(`${path}: ${name} is not what is in the file`);
  }
  await file.close();
  // Hugging Face's tools wrote these; the other fixtures come from a writer that sorts by name only
  if (/(^|_|[\\/])model\.safetensors$/.test(path)) expect(equal(again, bytes), `${path}, written again`).toBe(true);
}

const equal = (a: Uint8Array, b: Uint8Array) => Buffer.compare(a, b) === 0;

describe('files of other tools', () => {
  it('are read, and written again byte for byte: fixtures', async () => {
    const files = safetensorsUnder(fixtures);
    expect(files.length).toBeGreaterThan(100);
    for (const path of files) await expectReadable(path);
  });

  it.skipIf(!existsSync(models))('are read, and written again byte for byte: models', async () => {
    const files = safetensorsUnder(models);
    expect(files.length).toBeGreaterThan(0);
    for (const path of files) await expectReadable(path);
  });
});
