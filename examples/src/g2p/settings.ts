import { fileURLToPath } from 'node:url';
import { type CommandLine, readCommandLine } from '../command-line.js';

const USAGE = `pnpm example:g2p [--train N] [--test N] [--out DIR] [--json FILE]

  --train N    British words to train on, 26,418 at most (default: all)
  --test N     held-out words to measure on, of each accent (default: all; 750 British, 1,500 American)
  --out DIR    where the adapter is written (default: examples/out/g2p)
  --json FILE  all figures as JSON`;

const ALL = 1_000_000;

/** @returns null where help was asked for and printed */
export function readSettings(args: readonly string[]): CommandLine<'train' | 'test'> | null {
  const out = fileURLToPath(new URL('../../out/g2p', import.meta.url));
  return readCommandLine(args, USAGE, out, { train: { value: ALL, least: 64 }, test: { value: ALL, least: 1 } });
}
