import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@burin/testing';
import { expect, it } from 'vitest';
import { readCheckpoint, temporaryFolder } from './folders.js';

const TRAINER = fileURLToPath(new URL('./kill-trainer.ts', import.meta.url));
const KILLS = 20;
const MOST_SAVES = 3; // that a run begins before it is killed: a busy machine comes as far as a quiet one
const LONGEST_MS = 50; // from then on; a checkpoint is written about every 20 ms

function start(folder: string, speed: 'slow' | 'fast') {
  const flags = ['--import', 'tsx', '--conditions=@burin/source', TRAINER, folder, speed];
  return spawn(process.execPath, flags, { stdio: ['ignore', 'pipe', 'inherit'] });
}

/** Trains to the end. */
async function finish(folder: string): Promise<void> {
  const child = start(folder, 'fast');
  child.stdout.resume();
  expect(await once(child, 'exit')).toEqual([0, null]);
}

/** Trains until so many checkpoints were begun, and a while longer, then kills the process; returns what it said. */
async function trainAndKill(folder: string, saves: number, ms: number): Promise<string> {
  const child = start(folder, 'slow');
  let said = '';
  child.stdout.on('data', (text) => (said += text));
  while (said.split('saving').length <= saves) await once(child.stdout, 'data');
  await sleep(ms);
  expect(child.exitCode, 'the run must not end by itself').toBeNull();
  const ended = once(child, 'exit');
  child.kill('SIGKILL');
  expect(await ended).toEqual([null, 'SIGKILL']);
  return said;
}

it('promise 6: a run that is killed 20 times ends bit for bit where an undisturbed one does', {
  timeout: 180_000,
}, async () => {
  const [undisturbed, killed] = [temporaryFolder(), temporaryFolder()];
  const delays = seededRandom(20).integers(KILLS, 0, LONGEST_MS);
  let halfWritten = 0;
  let resumed = 0;
  for (const [i, delay] of delays.entries()) {
    const said = await trainAndKill(killed, 1 + (i % MOST_SAVES), delay);
    if (said.includes('checkpoint-')) resumed++;
    const names = readdirSync(killed);
    if (names.some((name) => !/^checkpoint-\d+$/.test(name))) halfWritten++;
  }
  expect(resumed, 'no run had a checkpoint to go on from: the test shows nothing').toBeGreaterThan(KILLS / 2);
  expect(halfWritten, 'no kill hit a write: the test shows nothing').toBeGreaterThan(2);
  await Promise.all([finish(killed), finish(undisturbed)]);
  expect(readdirSync(killed).sort()).toEqual(readdirSync(undisturbed).sort());
  const last = 'checkpoint-600';
  expect(readCheckpoint(join(killed, last))).toEqual(readCheckpoint(join(undisturbed, last)));
});
