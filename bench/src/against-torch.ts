import { spawnSync } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { wholeNumber } from './arguments.js';
import { median } from './measure.js';
import { type BenchRecord, parseRecords, sameCase } from './record.js';

// Runs our cases and PyTorch's by turns, each turn in a process of its own, and prints how many times as fast ours are.

const USAGE = 'usage: pnpm bench:torch [NAME] [--threads N] [--rounds N] [--blas auto|off|LIBRARY] [--python COMMAND]';

/** A file by its place from `bench/dist`, where this program is bundled to. */
const here = (file: string) => fileURLToPath(new URL(file, import.meta.url));

interface Settings {
  prefix: string;
  threads: string;
  rounds: number;
  blas: string;
  python: string;
}

function readSettings(args: string[]): Settings {
  const own = args[0] === '--' ? args.slice(1) : args;
  const text = (value: string) => ({ type: 'string', default: value }) as const;
  const options = { threads: text('1'), rounds: text('3'), blas: text('auto'), python: text('python3') };
  const { values, positionals } = parse(() => parseArgs({ args: own, options, allowPositionals: true }));
  if (positionals.length > 1) throw new RangeError(`bench: one NAME at most, got ${positionals.join(', ')}; ${USAGE}`);
  wholeNumber('threads', values.threads, USAGE);
  return { ...values, rounds: wholeNumber('rounds', values.rounds, USAGE), prefix: positionals[0] ?? '' };
}

function parse<T>(body: () => T): T {
  try {
    return body();
  } catch (cause) {
    throw new RangeError(`bench: ${(cause as Error).message}; ${USAGE}`, { cause });
  }
}

function ours({ prefix, threads, blas }: Settings): BenchRecord[] {
  const file = join(tmpdir(), `burin-bench-${process.pid}.jsonl`);
  const options = [prefix, '--threads', threads, '--blas', blas, '--json', file];
  runProgram(process.execPath, [...process.execArgv, here('main.js'), ...options], {});
  const records = parseRecords(readFileSync(file, 'utf8'), file);
  rmSync(file);
  return records;
}

function torch({ prefix, threads, python }: Settings): BenchRecord[] {
  // more threads than these, also in the libraries below PyTorch, would make the comparison unfair to us
  const environment = { OMP_NUM_THREADS: threads, MKL_NUM_THREADS: threads };
  const hint = '; the comparison needs Python with PyTorch (pip install torch)';
  const output = runProgram(python, [here('../reference/torch_cases.py'), threads, prefix], environment, hint);
  const records = parseRecords(output, 'torch_cases.py');
  if (records.length === 0) throw new RangeError(`bench: PyTorch has no case that begins with '${prefix}'`);
  return records;
}

function runProgram(program: string, args: string[], environment: Record<string, string>, hint = ''): string {
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    env: { ...process.env, ...environment },
  });
  if (status === 0) return stdout;
  throw new Error(`bench: ${program} ${args[0]} failed: ${error?.message ?? stderr.trim()}${hint}`);
}

interface Comparison {
  ours: BenchRecord;
  torch: BenchRecord;
}

function print(comparisons: readonly Comparison[]): void {
  const groups = new Map<string, Comparison[]>();
  for (const one of comparisons) {
    const key = `${one.ours.name.padEnd(32)} ${one.ours.shape.padEnd(18)}`;
    groups.set(key, [...(groups.get(key) ?? []), one]);
  }
  const { engine, threads } = comparisons[0]!.torch;
  console.log(`Burin: ${comparisons[0]!.ours.engine}, Node ${process.versions.node}; ${engine}, threads: ${threads}`);
  console.log(
    `${'case'.padEnd(32)} ${'shape'.padEnd(18)} ${'Burin'.padStart(10)} ${'PyTorch'.padStart(10)}  ratio  of best  of CPU time`,
  );
  for (const [key, rounds] of groups) {
    const ratio = (field: 'ms' | 'msBest' | 'msCpu') =>
      median(rounds.map(({ ours, torch }) => torch[field] / ours[field]));
    const time = (side: 'ours' | 'torch') => median(rounds.map((round) => round[side].ms));
    const best = ['ours', 'torch'].map((side) => Math.min(...rounds.map((round) => round[side as 'ours'].msBest)));
    console.log(
      `${key} ${time('ours').toPrecision(4).padStart(10)} ${time('torch').toPrecision(4).padStart(10)} ` +
        `${ratio('ms').toFixed(2).padStart(6)} ${(best[1]! / best[0]!).toFixed(2).padStart(8)} ${ratio('msCpu').toFixed(2).padStart(12)}`,
    );
  }
}

try {
  const settings = readSettings(process.argv.slice(2));
  const comparisons: Comparison[] = [];
  for (let round = 0; round < settings.rounds; round++) {
    const theirs = torch(settings);
    const own = ours(settings);
    for (const record of theirs) {
      const same = own.find((one) => sameCase(one, record));
      if (!same) throw new Error(`bench: torch_cases.py has ${record.name} ${record.shape}, which pnpm bench has not`);
      comparisons.push({ ours: same, torch: record });
    }
  }
  print(comparisons);
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 2;
}
