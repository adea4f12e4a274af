// How many tests or cases passed and failed, from the reports that vitest and the conformance command write.
import { existsSync, readFileSync } from 'node:fs';

/** Type tests are among the tests. A file that does not load has no test of its own to fail, so it counts as one. */
export function countTests(file) {
  const report = readReport(file);
  if (!report) return null;
  const unloaded = report.testResults.filter((test) => test.status === 'failed' && test.assertionResults.length === 0);
  return { passed: report.numPassedTests, failed: report.numFailedTests + unloaded.length };
}

/**
 * Cases that conformance/waiting.json names wait for later work: they fail the command `pnpm conformance`, but are no
 * failure of the code at hand. Any other case that is not passed is one.
 */
export function countCases(file) {
  const report = readReport(file);
  if (!report) return null;
  const waiting = new Set(readReport('conformance/waiting.json'));
  const passed = report.cases.filter((one) => one.status === 'passed');
  const failed = report.cases.filter((one) => one.status !== 'passed' && !waiting.has(one.name));
  for (const { name } of passed)
    if (waiting.has(name)) console.log(`${name} passes: take it off conformance/waiting.json`);
  return { passed: passed.length, failed: failed.length, waiting: report.cases.length - passed.length - failed.length };
}

export function readReport(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
}
