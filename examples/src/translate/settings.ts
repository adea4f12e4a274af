import { fileURLToPath } from 'node:url';
import { type CommandLine, readCommandLine } from '../command-line.js';

const USAGE = `pnpm example:translate [--steps N] [--pairs N] [--test N] [--vocab N] [--out DIR] [--json FILE]

  --steps N    optimizer steps (default 5000)
  --pairs N    sentence pairs to train on, 29,000 at most (default: all)
  --test N     held-out pairs to measure on, 1,000 at most (default: all)
  --vocab N    tokens that both languages share (default 4000)
  --out DIR    where the model is written (default: examples/out/translate)
  --json FILE  all figures as JSON`;

const ALL = 1_000_000;

export type TranslateSettings = CommandLine<'steps' | 'pairs' | 'test' | 'vocab'>;

/** @returns null where help was asked for and printed */
export function readSettings(args: readonly string[]): TranslateSettings | null {
  const out = fileURLToPath(new URL('../../out/translate', import.meta.url));
  return readCommandLine(args, USAGE, out, {
    steps: { value: 5000, least: 1 },
    pairs: { value: ALL, least: 100 },
    test: { value: ALL, least: 1 },
    vocab: { value: 4000, least: 300 },
  });
}
