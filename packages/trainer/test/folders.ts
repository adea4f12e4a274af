import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';

/** A folder of its own, removed after the test. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'burin-trainer-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** The files of a checkpoint as text; figures that tell the time are left out. */
export function readCheckpoint(path: string): Record<string, string> {
  const weights = readFileSync(join(path, 'model.safetensors')).toString('base64');
  const optimizer = readFileSync(join(path, 'optimizer.safetensors')).toString('base64');
  const state = readFileSync(join(path, 'trainer_state.json'), 'utf8').replace(/"tokensPerSecond": .*/g, '');
  return { weights, optimizer, state };
}
