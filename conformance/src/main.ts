import { fileURLToPath } from 'node:url';
import { writeFileAtomic } from '@burin/checkpoint';
import { setDefaultDevice } from '@burin/tensor';
import { type Options, parseArguments } from './arguments.js';
import { caseLine, jsonReport, summaryLines } from './report.js';
import { type CaseResult, listCases, runCase } from './run.js';

const FIXTURES = fileURLToPath(new URL('../../fixtures', import.meta.url));
const BAD_USAGE = 2;

async function conformance({ dir, prefix, json, device, backend }: Options): Promise<number> {
  if (device === 'gpu') console.log(await useGpu(backend));
  const results: CaseResult[] = [];
  for (const name of await listCases(dir, prefix)) {
    const result = await runCase(dir, name);
    console.log(caseLine(result));
    results.push(result);
  }
  if (json !== null) await writeFileAtomic(json, jsonReport(results));
  for (const line of summaryLines(results)) console.log(line);
  return results.every(({ status }) => status === 'passed') ? 0 : 1;
}

/** Everything is computed there from now on. Returns which it is, in words. */
async function useGpu(backend: Options['backend']): Promise<string> {
  const { gpu } = await import('@burin/tensor/gpu');
  const device = await gpu(backend === null ? {} : { backend });
  setDefaultDevice(device);
  return device.describe();
}

try {
  process.exitCode = await conformance(parseArguments(process.argv.slice(2), FIXTURES));
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = BAD_USAGE;
}
