import { existsSync, readdirSync, readFileSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

interface Manifest {
  name: string;
  private?: boolean;
  scripts?: Record<string, string>;
  dependencies?: Record<string, string>;
}

const packages = fileURLToPath(new URL('../..', import.meta.url));
const AT_INSTALL = ['preinstall', 'install', 'postinstall', 'prepare'];

const readManifest = (folder: string): Manifest => JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));

/** Folders of everything that installing the package in `folder` brings along. */
function closure(folder: string, found = new Map<string, Manifest>()): Map<string, Manifest> {
  if (found.has(folder)) return found;
  const manifest = readManifest(folder);
  found.set(folder, manifest);
  for (const name of Object.keys(manifest.dependencies ?? {})) closure(folderOf(name, folder), found);
  return found;
}

/** Node's own search, up from the folder that asks. */
function folderOf(name: string, from: string): string {
  const paths = createRequire(join(from, 'package.json')).resolve.paths(name) ?? [];
  const place = paths.map((path) => join(path, name)).find((path) => existsSync(join(path, 'package.json')));
  if (!place) throw new Error(`${name}, which ${from} needs, is not installed`);
  return realpathSync(place);
}

describe('promise 13: installing builds nothing', () => {
  const published = readdirSync(packages).filter((name) => !readManifest(join(packages, name)).private);

  it.each(published)('%s and all that it brings along run no script and compile nothing', (name) => {
    const folder = join(packages, name);
    for (const [place, { name: dependency, scripts = {} }] of closure(folder)) {
      const own = dirname(place) === dirname(folder);
      const run = AT_INSTALL.filter((script) => script in scripts && (own || script !== 'prepare')); // npm runs prepare of none that it fetches
      expect(run, `${dependency} at ${place}`).toEqual([]);
      expect(existsSync(join(place, 'binding.gyp')), dependency).toBe(false);
    }
  });
});
