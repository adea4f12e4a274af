import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll } from 'vitest';

const ROOT = fileURLToPath(new URL('../../../', import.meta.url));

/** Where pretrained models lie: BURIN_SHARED, or `shared` beside the project. */
export const SHARED_MODELS = resolve(ROOT, process.env.BURIN_SHARED ?? '../shared', 'models');

/** Whether they are there; tests of them are skipped, and say so, only where they are not. */
export const hasSharedModels = existsSync(SHARED_MODELS);

/** A path for a new folder, removed when the tests of the file are done. */
export function temporaryFolders(): (name: string) => string {
  const base = mkdtempSync(join(tmpdir(), 'burin-tokenizers-'));
  afterAll(() => rmSync(base, { recursive: true, force: true }));
  return (name) => join(base, name);
}
