// node scripts/gpu/test.mjs [SUITE ...]: the tests that run on devices, and the conformance cases, on each GPU backend that
// this machine has. A backend that is missing is skipped, and said so; with CI set that is a failure.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { basename } from 'node:path';
import { fileURLToPath } from 'node:url';
import { countCases, countTests } from '../counts.mjs';
import { findBrowser, gpuEnvironments, withDisplay } from './environment.mjs';

const HINT = 'to run it: node scripts/gpu/install.mjs; see CONTRIBUTING.md';
const NODE = [process.execPath, '--import', 'tsx', '--conditions=@burin/source'];
const VITEST = [process.execPath, 'node_modules/vitest/vitest.mjs', 'run', '--reporter=default', '--reporter=json'];

const SUITES = {
  webgpu: () => inNode('webgpu', (command) => command),
  headlessgl: () => inNode('headlessgl', withDisplay),
  'chromium-webgl2': () => inBrowser('webgl2'),
  'chromium-webgpu': () => inBrowser('webgpu'),
};

/** Tests on a backend that Node reaches; then every conformance case. */
function inNode(backend, wrap) {
  const { env, answer, isMissing } = probe(backend, wrap);
  if (isMissing) return { skipped: answer };
  console.log(answer);
  const [tests, cases] = [`reports/gpu-${backend}.json`, `reports/gpu-${backend}-conformance.json`];
  const { files, projects } = deviceTests();
  const vitest = wrap([...VITEST, `--outputFile.json=${tests}`, '--typecheck.enabled=false', ...projects, ...files]);
  const counted = runTests(vitest, { ...env, BURIN_GPU: backend, BURIN_GPU_ONLY: '1' }, tests);
  const conformance = ['conformance/src/main.ts', '--device', 'gpu', '--backend', backend, '--json', cases];
  rmSync(cases, { force: true }); // that of an earlier run would be taken for this one's
  run(wrap([...NODE, ...conformance]), env);
  return sum(counted, countCases(cases));
}

/** Also a run whose tests all pass may fail: by an error outside of them. */
function runTests(command, env, report) {
  rmSync(report, { force: true });
  const { status } = run(command, env);
  const counts = countTests(report);
  if (!counts || status === 0 || counts.failed > 0) return counts;
  return { ...counts, failed: 1, failures: [`vitest ended with ${status}; its output is above`] };
}

/** Opens the backend in each environment until one has it; the last answer says what was missing. */
function probe(backend, wrap) {
  let result;
  for (const env of gpuEnvironments()) {
    const { stdout, status, error } = run(wrap([...NODE, 'scripts/gpu/probe.mjs', backend]), env, 'pipe');
    result = { env, answer: `${stdout ?? ''}${error ?? ''}`.trim(), isMissing: Boolean(error) || status === 2 };
    if (!result.isMissing) return result;
  }
  return result;
}

function inBrowser(backend) {
  const browser = findBrowser();
  if (!browser) return { skipped: 'no Chromium was found; BURIN_CHROMIUM names one' };
  const report = fromRoot(`reports/gpu-chromium-${backend}.json`);
  const command = [...VITEST, `--outputFile.json=${report}`, '--config', 'browser/vitest.config.ts'];
  return sum(runTests(command, { ...process.env, BURIN_GPU: backend, BURIN_CHROMIUM: browser }, report));
}

/** Test files that run on devices, and the vitest projects that they belong to, which are named after their folders. */
function deviceTests() {
  const files = [];
  const names = new Set();
  for (const folder of [...readdirSync('packages').map((name) => `packages/${name}`), 'conformance']) {
    const tests = existsSync(`${folder}/test`) ? readdirSync(`${folder}/test`, { recursive: true }) : [];
    for (const test of tests.filter((name) => name.endsWith('.test.ts'))) {
      const file = `${folder}/test/${test}`;
      if (!/\.each\((devices|runners)\)|gpuBackends\(/.test(readFileSync(file, 'utf8'))) continue;
      files.push(file);
      names.add(basename(folder));
    }
  }
  return { files, projects: [...names].map((name) => `--project=${name}`) };
}

function run([command, ...args], env, stdio = 'inherit') {
  return spawnSync(command, args, { stdio, env, encoding: 'utf8' });
}

/** No report is one failure: whatever should have written it did not come so far. */
function sum(...counts) {
  const all = counts.map((count) => count ?? { passed: 0, failed: 1 });
  const total = (key) => all.reduce((so, count) => so + (count[key] ?? 0), 0);
  const failures = all.flatMap((count) => count.failures ?? []);
  return { passed: total('passed'), failed: total('failed'), waiting: total('waiting'), failures };
}

const fromRoot = (path) => fileURLToPath(new URL(`../../${path}`, import.meta.url));

process.chdir(fromRoot(''));
mkdirSync('reports', { recursive: true });
const chosen = process.argv.slice(2);
const unknown = chosen.filter((name) => !Object.hasOwn(SUITES, name));
if (unknown.length > 0) {
  throw new Error(`gpu: no suite is called ${unknown.join(', ')}; there are ${Object.keys(SUITES).join(', ')}`);
}
// what .ci/run began to install must be there; elsewhere nothing is installed that nobody asked for
if (process.env.CI) run([process.execPath, 'scripts/gpu/install.mjs'], process.env);
const totals = { passed: 0, failed: 0, skipped: 0, waiting: 0, failures: [] };
for (const [name, suite] of Object.entries(SUITES)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue;
  const start = performance.now();
  console.log(`\n---- gpu: ${name}`);
  const result = suite();
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  if (result.skipped === undefined) {
    for (const key of ['passed', 'failed', 'waiting']) totals[key] += result[key];
    totals.failures.push(...result.failures.map((failure) => `${name}: ${failure}`));
    console.log(`gpu: ${name}: ${result.passed} passed, ${result.failed} failed (${seconds} s)`);
  } else {
    totals[process.env.CI ? 'failed' : 'skipped'] += 1;
    console.log(`gpu: ${name}: skipped${process.env.CI ? ', which fails in CI' : ''}: ${result.skipped}; ${HINT}`);
  }
}
writeFileSync('reports/gpu.json', JSON.stringify(totals));
process.exitCode = totals.failed > 0 ? 1 : 0;
