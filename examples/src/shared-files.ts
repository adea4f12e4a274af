import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Where models and data lie: the environment variable BURIN_SHARED, or `shared` beside the project. */
export const SHARED = resolve(ROOT, process.env.BURIN_SHARED ?? '../shared');

/** A line of a data set: what is given, and what is wanted. */
export interface Pair {
  readonly source: string;
  readonly target: string;
}

/** Whether a file or folder under {@link SHARED} is there. */
export function isShared(path: string): boolean {
  return existsSync(resolve(SHARED, path));
}

/**
 * The path of a model or data set under {@link SHARED}.
 *
 * @throws Error that says where it was looked for
 */
export function sharedPath(path: string): string {
  const found = resolve(SHARED, path);
  if (existsSync(found)) return found;
  throw new Error(`${path}: expected it in ${SHARED}; set BURIN_SHARED to the folder that holds models and data`);
}

/** The first `limit` pairs of gzipped JSON Lines. */
export async function readPairs(path: string, limit = Number.POSITIVE_INFINITY): Promise<Pair[]> {
  const text = gunzipSync(await readFile(sharedPath(path))).toString('utf8');
  return text
    .split('\n')
    .filter((line) => line !== '')
    .slice(0, limit)
    .map((line) => JSON.parse(line) as Pair);
}
