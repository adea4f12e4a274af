import { appendFile, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { cpu } from '@burin/tensor';
import { type Options, parseArguments } from './arguments.js';
import { measureBandwidth } from './bandwidth.js';
import type { Case } from './case.js';
import { cases } from './cases/index.js';
import { peerCases, runPeerCase } from './peers.js';
import { type BenchRecord, parseRecords, sameCase } from './record.js';
import { type Machine, runCase } from './run.js';
import { tableHead, tableRow } from './table.js';

const BASELINE = fileURLToPath(new URL('../baseline.jsonl', import.meta.url));
const BAD_USAGE = 2;

async function bench(options: Options): Promise<void> {
  if (options.prefix === 'gpu') return benchOnGpu(options);
  setEngine(options);
  const baseline = options.compare === null ? null : await readBaseline(options.compare);
  const chosen = choose(options.prefix);
  const peers = options.peers ? await peerCases(chosen) : []; // first: what is missing is said at once
  const keep = await openRecords(options.json);
  const machine = await describeMachine(chosen);
  if (baseline) console.log(`baseline: ${[...new Set(baseline.map(({ engine }) => engine))].join('; ')}`);
  const report = (record: BenchRecord) => {
    const before = baseline?.find((one) => sameCase(one, record)) ?? null;
    console.log(tableRow(record, baseline ? before : undefined));
    return keep(record);
  };
  console.log(tableHead(baseline !== null));
  for (const one of chosen) await report(await runCase(one, machine));
  for (const one of peers) await report(await runPeerCase(one));
}

async function readBaseline(file: string): Promise<BenchRecord[]> {
  const text = await readFile(file, 'utf8').catch((cause: Error) => {
    throw new RangeError(`bench: --compare needs a file that --json has written: ${cause.message}`, { cause });
  });
  return parseRecords(text, file);
}

/** Writes each record as soon as it is there: a run that is interrupted leaves those that it has. */
async function openRecords(file: string | null): Promise<(record: BenchRecord) => Promise<void>> {
  if (file === null) return async () => {};
  await writeFile(file, '').catch((cause: Error) => {
    throw new RangeError(`bench: --json must name a file that can be written: ${cause.message}`, { cause });
  });
  return (record) => appendFile(file, `${JSON.stringify(record)}\n`);
}

async function benchOnGpu({ backend, json }: Options): Promise<void> {
  const { benchGpu } = await import('./gpu.js');
  const keep = await openRecords(json);
  console.log(tableHead(false));
  await benchGpu(backend, (record) => {
    if (record.name === 'gpu/open') console.log(record.engine);
    console.log(tableRow(record, undefined));
    return keep(record);
  });
}

/** The device reads these when it is first asked for, which is later. */
function setEngine({ threads, blas }: Options): void {
  if (threads !== null) process.env.BURIN_THREADS = String(threads);
  if (blas !== null) process.env.BURIN_BLAS = blas;
}

function choose(prefix: string): Case[] {
  const chosen = cases.filter(({ name }) => name.startsWith(prefix));
  if (chosen.length > 0) return chosen;
  const names = [...new Set(cases.map(({ name }) => name))].join(', ');
  throw new RangeError(`bench: no case begins with '${prefix}'; there are ${names}`);
}

async function describeMachine(chosen: readonly Case[]): Promise<Machine> {
  const engine = cpu().describe();
  const threads = Number(/(\d+) thread/.exec(engine)?.[1] ?? 1);
  const bandwidth = chosen.some(({ work }) => 'bytes' in work) ? await measureBandwidth(threads) : null;
  console.log(`${engine}, Node ${process.versions.node}`);
  if (bandwidth !== null)
    console.log(`memory: ${bandwidth.toFixed(1)} GB/s by ${threads} thread${threads > 1 ? 's' : ''}`);
  return { engine, threads, bandwidth };
}

try {
  await bench(parseArguments(process.argv.slice(2), BASELINE));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = BAD_USAGE;
}
