import type { CaseResult } from './run.js';

const VERDICTS = { passed: 'ok     ', failed: 'FAILED ', unsupported: 'not yet' } as const;

/** One line for one case. */
export function caseLine({ name, status, maxAbsError, maxRelError, message }: CaseResult): string {
  const errors = maxAbsError === null ? '' : `  abs ${shown(maxAbsError)}  rel ${shown(maxRelError)}`;
  return `${VERDICTS[status]} ${name.padEnd(40)}${errors}${message && `  ${message}`}`.trimEnd();
}

/** The cases that wait for later work, if there are any; then how many passed and failed. */
export function summaryLines(results: readonly CaseResult[]): string[] {
  const unsupported = results.filter(({ status }) => status === 'unsupported').map(({ name }) => name);
  const passed = results.filter(({ status }) => status === 'passed').length;
  const list = `not yet supported, counted as failures: ${unsupported.join(', ')}`;
  return [...(unsupported.length > 0 ? [list] : []), `${passed} passed, ${results.length - passed} failed`];
}

/** What `--json` writes. An infinite error is null: JSON has no infinity. */
export function jsonReport(results: readonly CaseResult[]): string {
  return `${JSON.stringify({ cases: results }, null, 2)}\n`;
}

function shown(error: number | null): string {
  return (error ?? 0).toExponential(1).padEnd(8);
}
