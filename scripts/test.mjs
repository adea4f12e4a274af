// What `pnpm test` runs: every check of the repository, one after the other, on to the end even where one fails.
// The last line is `N passed, N failed`. A test and a conformance case count one each, and so does every other step.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));
const SUMMARY = 'reports/summary.txt';
const TESTS = 'reports/tests.json';
const CONFORMANCE = 'reports/conformance.json';

/** Name, command, and for the steps that count their own: how to read the counts. */
const STEPS = [
  ['kernels', 'node scripts/ensure-kernels.mjs'],
  ['types', 'tsc --noEmit && turbo run check --continue --output-logs=errors-only'],
  ['lint', 'biome ci .'],
  ['imports', 'depcruise packages demo examples conformance bench --config .dependency-cruiser.cjs'],
  ['unused', 'knip --no-config-hints'],
  ['tests', `vitest run --reporter=default --reporter=json --outputFile.json=${TESTS}`, countTests],
  [
    'conformance',
    `node --import tsx --conditions=@burin/source conformance/src/main.ts --json ${CONFORMANCE}`,
    countCases,
  ],
  ['build', 'turbo run build --continue --output-logs=errors-only'],
  ['packages', 'turbo run check:package --continue --output-logs=errors-only'],
  ['sizes', 'node scripts/size.mjs'],
  ['install', 'node scripts/install-one.mjs'],
];

/** Type tests are among the tests. A file that does not load has no test of its own to fail, so it counts as one. */
function countTests() {
  const report = readReport(TESTS);
  if (!report) return null;
  const unloaded = report.testResults.filter((file) => file.status === 'failed' && file.assertionResults.length === 0);
  return { passed: report.numPassedTests, failed: report.numFailedTests + unloaded.length };
}

/**
 * Cases that conformance/waiting.json names wait for later work: they fail the command `pnpm conformance`, but are no
 * failure of the code at hand. Any other case that is not passed is one.
 */
function countCases() {
  const report = readReport(CONFORMANCE);
  if (!report) return null;
  const waiting = new Set(readReport('conformance/waiting.json'));
  const passed = report.cases.filter((one) => one.status === 'passed');
  const failed = report.cases.filter((one) => one.status !== 'passed' && !waiting.has(one.name));
  for (const { name } of passed)
    if (waiting.has(name)) console.log(`${name} passes: take it off conformance/waiting.json`);
  return { passed: passed.length, failed: failed.length, waiting: report.cases.length - passed.length - failed.length };
}

function readReport(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
}

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
  };
}

process.chdir(root);
rmSync('reports', { recursive: true, force: true });
mkdirSync('reports', { recursive: true });

const only = process.argv.slice(2);
const unknown = only.filter((name) => !STEPS.some(([step]) => step === name));
if (unknown.length > 0) {
  throw new Error(`test: no step is called ${unknown.join(', ')}; there are ${STEPS.map(([name]) => name).join(', ')}`);
}
const results = STEPS.filter(([name]) => only.length === 0 || only.includes(name)).map(runStep);

console.log('\n==== summary');
for (const { name, seconds, passed, failed, waiting } of results) {
  const verdict = failed > 0 ? 'FAIL' : 'ok  ';
  const rest = waiting ? `, ${waiting} wait for later work` : '';
  console.log(`${verdict} ${name.padEnd(12)} ${seconds.padStart(6)} s  ${passed} passed, ${failed} failed${rest}`);
}
const passed = results.reduce((sum, result) => sum + result.passed, 0);
const failed = results.reduce((sum, result) => sum + result.failed, 0);
writeFileSync(SUMMARY, `${passed} passed, ${failed} failed\n`);
console.log(`${passed} passed, ${failed} failed`);
process.exitCode = failed > 0 ? 1 : 0;
