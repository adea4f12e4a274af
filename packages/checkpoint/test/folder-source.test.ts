import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { bytesSource, fileName, hasFile, openSafetensors, readJson, readText } from '@burin/checkpoint';
import { describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from './helpers.js';

const source = (text: string) => bytesSource(new TextEncoder().encode(text));

describe('a folder', () => {
  it('is read the same by its path and by its files', async () => {
    const path = await temporaryFolder();
    await writeFile(join(path, 'config.json'), '{"a":"é"}');
    for (const folder of [path, new Map([['config.json', source('{"a":"é"}')]])]) {
      expect(await readJson(folder, 'config.json')).toEqual({ a: 'é' });
      expect(await readText(folder, 'config.json')).toBe('{"a":"é"}');
      expect([await hasFile(folder, 'config.json'), await hasFile(folder, 'none')]).toEqual([true, false]);
    }
    expect([fileName(path, 'a'), fileName(new Map(), 'a')]).toEqual([`${path}/a`, 'a']);
  });

  it('names what is not there or no JSON, and closes what it has read', async () => {
    const close = vi.fn(async () => {});
    const files = new Map([['config.json', { ...source('{'), close }]]);
    await expect(readJson(files, 'generation_config.json')).rejects.toThrow(
      'generation_config.json must be among the files of the folder, got config.json',
    );
    await expect(readText(new Map(), 'a')).rejects.toThrow('a must be among the files of the folder, got none');
    await expect(readJson(files, 'config.json')).rejects.toThrow('config.json must be JSON');
    expect(close).toHaveBeenCalledTimes(1);
  });

  it('says how to make a source of what a page has', async () => {
    const file = new File(['{}'], 'config.json');
    const asSources = 'new Map([...files].map((file) => [file.name, blobSource(file)]))';
    for (const use of [hasFile, readText]) {
      await expect(use([file] as never, 'config.json')).rejects.toThrow(
        `a folder must be a path, or a Map of its files by name: got Array; of files that a person picked: ${asSources}`,
      );
    }
    const remedy = 'make one with blobSource(file) or bytesSource(bytes)';
    await expect(readText(new Map([['config.json', file as never]]), 'config.json')).rejects.toThrow(
      `config.json: a file must be a source of bytes: got File; ${remedy}`,
    );
    await expect(openSafetensors(new Uint8Array(9) as never)).rejects.toThrow(
      `a file: a file must be a source of bytes: got Uint8Array; ${remedy}`,
    );
    expect(() => bytesSource(new ArrayBuffer(9) as never, 'a')).toThrow(
      'bytesSource: a: bytes must be a Uint8Array: got ArrayBuffer; pass new Uint8Array(buffer)',
    );
  });
});
