// How many tests or cases passed and failed, and which failed why, from the reports that vitest and the conformance
// command write.
import { existsSync, readFileSync } from 'node:fs';
import { relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';

const MOST_LINES = 12; // of a failure: what was expected, what came, and where

/** Type tests are among the tests. A file that fails without a test of its own, as it does not load, counts as one. */
export function countTests(file) {
  const report = readReport(file);
  if (!report) return null;
  const failures = report.testResults.flatMap(({ name: path, status, message, assertionResults }) => {
    const name = relative(process.cwd(), path);
    const failed = assertionResults.filter((test) => test.status === 'failed');
    if (status === 'failed' && failed.length === 0) return [failure(name, message)];
    return failed.map((test) => failure(`${name}: ${test.fullName}`, test.failureMessages.join('\n')));
  });
  return { passed: report.numPassedTests, failed: failures.length, failures };
}

function failure(name, message) {
  const own = (line) => !/^\s+at .*(node_modules|node:internal|new Promise)/.test(line);
  // vitest's report says this of a test that took longer than it may
  const text = stripVTControlCharacters(message).replace('Error: STACK_TRACE_ERROR', 'took longer than its timeout');
  const lines = text.trim().split('\n').filter(own);
  return [name, ...lines.slice(0, MOST_LINES)].join('\n  ');
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
  return {
    passed: passed.length,
    failed: failed.length,
    waiting: report.cases.length - passed.length - failed.length,
    failures: failed.map(({ name, message }) => failure(`conformance: ${name}`, message)),
  };
}

export function readReport(file) {
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : null;
}
