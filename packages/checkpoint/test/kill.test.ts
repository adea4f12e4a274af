import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { exists, fileSource, listFolder, openSafetensors, recoverFolder, writeFileAtomic } from '@burin/checkpoint';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from './helpers.js';
import { seededRandom } from './mutations.js';

const WRITER = fileURLToPath(new URL('./kill-writer.ts', import.meta.url));
const KILLS = 6; // each starts a process that needs about half a second to load
const MOST_KILLS = 24; // until one hits a write: on a busy machine six may all miss

/** Starts a writer, waits until it writes, and kills it after `delayMs`. */
async function killWhileWriting(what: 'file' | 'folder', folder: string, delayMs: number): Promise<void> {
  const flags = ['--import', 'tsx', '--conditions=@burin/source', WRITER, what, folder];
  const child = spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  await once(child.stdout!, 'data'); // it has written once
  await sleep(delayMs);
  await kill(child);
}

async function kill(child: ChildProcess): Promise<void> {
  expect(child.exitCode, 'the writer must not end by itself').toBeNull();
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  expect((await ended)[1]).toBe('SIGKILL');
}

/** The generation that a safetensors file holds: all of its bytes have the same value. */
async function generationOf(path: string): Promise<number> {
  const file = await openSafetensors(await fileSource(path));
  const bytes = await file.read('weight');
  await file.close();
  expect(bytes.length).toBe(500_000);
  const generation = Number(file.metadata.generation);
  expect(bytes.every((byte) => byte === (generation & 255))).toBe(true);
  return generation;
}

describe('a process that is killed while it writes', () => {
  it('leaves the old file or the new one, whole', { timeout: 60_000 }, async () => {
    const random = seededRandom(7);
    const folder = await temporaryFolder();
    const path = join(folder, 'm.safetensors');
    let leftovers = 0;
    for (let round = 0; round < KILLS || (leftovers === 0 && round < MOST_KILLS); round++) {
      await killWhileWriting('file', folder, random.whole(60));
      expect(await generationOf(path)).toBeGreaterThanOrEqual(0);
      leftovers += (await readdir(folder)).length - 1;
    }
    expect(leftovers, 'no kill hit a write: the test shows nothing').toBeGreaterThan(0);
    await writeFileAtomic(path, 'new');
    expect(await readdir(folder)).toEqual(['m.safetensors']);
  });

  it('leaves the old folder or the new one, whole, once it is recovered', { timeout: 60_000 }, async () => {
    const random = seededRandom(11);
    const folder = await temporaryFolder();
    const path = join(folder, 'checkpoint');
    await mkdir(join(folder, 'other'));
    let leftovers = 0;
    for (let round = 0; round < KILLS || (leftovers === 0 && round < MOST_KILLS); round++) {
      await killWhileWriting('folder', folder, random.whole(60));
      leftovers += (await readdir(folder)).length - (await listFolder(folder)).length;
      await recoverFolder(folder);
      expect(await readdir(folder)).toEqual(['checkpoint', 'other']);
      expect(await readdir(path)).toEqual(['m.safetensors', 'state.json']);
      const state = JSON.parse(await readFile(join(path, 'state.json'), 'utf8')) as { generation: number };
      expect(await generationOf(join(path, 'm.safetensors'))).toBe(state.generation);
    }
    expect(leftovers, 'no kill hit a write: the test shows nothing').toBeGreaterThan(0);
    expect(await exists(path)).toBe(true);
  });
});
