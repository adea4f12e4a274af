import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';

/** Milliseconds that a run may take: it takes a few seconds, many times that on a busy machine. */
export const LONG = 120_000;

/** Runs an example in a process of its own, as the command does; returns what it printed and its figures. Its folder goes with the test. */
export function runExample(name: string, args: readonly string[]) {
  const out = mkdtempSync(`${tmpdir()}/burin-${name}-`);
  onTestFinished(() => rmSync(out, { recursive: true, force: true }));
  const main = fileURLToPath(new URL(`../src/${name}/main.ts`, import.meta.url));
  const node = ['--import', 'tsx', '--conditions=@burin/source'];
  const json = `${out}/figures.json`;
  const run = spawnSync(process.execPath, [...node, main, '--out', out, '--json', json, ...args], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${name} failed: ${run.stderr}`);
  return { out, printed: run.stdout, figures: JSON.parse(readFileSync(json, 'utf8')) };
}
