// What `pnpm test` runs: every check of the repository, one after the other, on to the end even where one fails.
// What failed, and why, stands below the table of steps; the last line is `N passed, N failed`. A test and a conformance case count one each, and so does every other step.
import { spawnSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { countCases, countTests, readReport } from './counts.mjs';

const root = fileURLToPath(new URL('..', import.meta.url));
const SUMMARY = 'reports/summary.txt';
const TESTS = 'reports/tests.json';
const CONFORMANCE = 'reports/conformance.json';
const GPU = 'reports/gpu.json';
const MOST_SHOWN = 20; // failures below the table

/** Name, command, and for the steps that count their own: how to read the counts. */
const STEPS = [
  ['kernels', 'node scripts/ensure-kernels.mjs'],
  ['types', 'tsc --noEmit && turbo run check --continue --output-logs=errors-only'],
  ['lint', 'biome ci .'],
  ['imports', 'depcruise packages demo examples conformance bench browser --config .dependency-cruiser.cjs'],
  ['unused', 'knip --no-config-hints'],
  ['tests', `vitest run --reporter=default --reporter=json --outputFile.json=${TESTS}`, () => countTests(TESTS)],
  [
    'conformance',
    `node --import tsx --conditions=@burin/source conformance/src/main.ts --json ${CONFORMANCE}`,
    () => countCases(CONFORMANCE),
  ],
  ['gpu', 'node scripts/gpu/test.mjs', () => readReport(GPU)],
  ['build', 'turbo run build --continue --output-logs=errors-only'],
  ['packages', 'turbo run check:package --continue --output-logs=errors-only && node scripts/declarations.mjs'],
  ['sizes', 'node scripts/size.mjs'],
  ['install', 'node scripts/install-one.mjs'],
];

function runStep([name, command, count]) {
  console.log(`\n==== ${name}: ${command}`);
  const start = performance.now();
  const { status } = spawnSync(command, { cwd: root, stdio: 'inherit', shell: true });
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  const counts = count?.() ?? { passed: status === 0 ? 1 : 0, failed: 0 };
  const unexplained = status !== 0 && counts.failed === 0 && !counts.waiting;
  return {
    name,
    seconds,
    passed: counts.passed,
    failed: counts.failed + (unexplained ? 1 : 0),
    waiting: counts.waiting,
    skipped: counts.skipped,
    failures: unexplained ? [`step ${name}: ended with ${status}; its output is above`] : (counts.failures ?? []),
  };
}

const only = process.argv.slice(2);
const unknown = only.filter((name) => !STEPS.some(([step]) => step === name));
if (unknown.length > 0) {
  throw new Error(`test: no step is called ${unknown.join(', ')}; there are ${STEPS.map(([name]) => name).join(', ')}`);
}
process.chdir(root);
rmSync('reports', { recursive: true, force: true });
mkdirSync('reports', { recursive: true });
const results = STEPS.filter(([name]) => only.length === 0 || only.includes(name)).map(runStep);

console.log('\n==== summary');
for (const { name, seconds, passed, failed, waiting, skipped } of results) {
  const verdict = failed > 0 ? 'FAIL' : 'ok  ';
  const rest = `${waiting ? `, ${waiting} wait for later work` : ''}${skipped ? `, ${skipped} skipped` : ''}`;
  console.log(`${verdict} ${name.padEnd(12)} ${seconds.padStart(6)} s  ${passed} passed, ${failed} failed${rest}`);
}
const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failed, 0);
const failures = results.flatMap((result) => result.failures).map((failure) => `\nFAILED ${failure}\n`);
const left =
  failures.length > MOST_SHOWN ? [`\n... and ${failures.length - MOST_SHOWN} more, in the output above\n\n`] : [];
const summary = [...failures.slice(0, MOST_SHOWN), ...left, `${passed} passed, ${failed} failed\n`].join('');
writeFileSync(SUMMARY, summary);
process.stdout.write(summary);
process.exitCode = failed > 0 ? 1 : 0;
