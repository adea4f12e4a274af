import { type Case, readFile } from './case.js';
import type { HostTensor } from './host-tensor.js';
import type { Tolerance } from './manifest.js';
import type { Actual, Outcome } from './outcome.js';

const EXPECTED_ROLES = ['expected', 'expected_grad', 'expected_state'];
const GIVEN_ROLES = ['input', 'weight', 'upstream_grad'];
const EXACT: Tolerance = { exact: true };

/** What the comparison of a case found. */
export class Comparison {
  /** The largest |actual − expected|. */
  maxAbsError = 0;
  /** The largest |actual − expected| / |expected| where |expected| is above atol: below, it would say nothing. */
  maxRelError = 0;
  /** How many tensors and values were compared. */
  compared = 0;
  readonly failures: string[] = [];

  fail(message: string): void {
    this.failures.push(message);
  }

  /** Whether two numbers agree; keeps the errors. Infinities must be equal; NaN agrees with NaN only. */
  number(actual: number, expected: number, { atol = 0, rtol = 0, exact = false }: Tolerance): boolean {
    if (Object.is(actual, expected) || actual === expected) return true;
    const difference = Math.abs(actual - expected);
    if (!Number.isFinite(difference)) {
      this.maxAbsError = Infinity;
      this.maxRelError = Infinity;
      return false;
    }
    this.maxAbsError = Math.max(this.maxAbsError, difference);
    if (Math.abs(expected) > atol) this.maxRelError = Math.max(this.maxRelError, difference / Math.abs(expected));
    return !exact && difference <= atol + rtol * Math.abs(expected);
  }

  tensor(name: string, actual: Actual | undefined, expected: HostTensor, tolerance: Tolerance | undefined): void {
    this.compared++;
    if (!actual) this.fail(`${name}: nothing here computes it`);
    else if (!isTolerance(tolerance)) this.fail(`${name}: the manifest gives no tolerance`);
    else if (`${actual.shape}` !== `${expected.shape}`) {
      this.fail(`${name}: expected [${expected.shape}], got [${actual.shape}]`);
    } else this.elements(name, actual, expected, tolerance);
  }

  private elements(name: string, actual: Actual, expected: HostTensor, tolerance: Tolerance): void {
    const { mask, canonical = (value: number) => value } = actual;
    const covers = expected.data.length / (mask?.data.length ?? 1);
    let [wrong, total, first] = [0, 0, ''];
    for (let i = 0; i < expected.data.length; i++) {
      if (mask && mask.data[Math.floor(i / covers)] === 0) continue;
      total++;
      const [got, wanted] = [canonical(actual.data[i]!), canonical(expected.data[i]!)];
      if (this.number(got, wanted, tolerance) || wrong++ > 0) continue;
      first = `[${i}]: expected ${wanted}, got ${got}`;
    }
    if (total === 0 && expected.data.length > 0) this.fail(`${name}: the mask leaves nothing to compare`);
    if (wrong > 0) this.fail(`${name}: ${wrong} of ${total} differ by more than ${shown(tolerance)}: ${first}`);
  }

  /** Numbers, text, lists and tables, to any depth. */
  value(name: string, actual: unknown, expected: unknown, tolerance: Tolerance | undefined): void {
    if (typeof expected === 'object' && expected !== null) {
      if (!Array.isArray(expected) || (Array.isArray(actual) && actual.length === expected.length)) {
        const items = typeof actual === 'object' && actual !== null ? (actual as Record<string, unknown>) : {};
        const wanted = Object.entries(expected);
        for (const [key, item] of wanted) this.value(`${name}.${key}`, items[key], item, tolerance);
        if (wanted.length === 0 && actual === undefined) this.fail(`${name}: nothing here computes it`);
      } else this.fail(`${name}: expected a list of ${expected.length}, got ${JSON.stringify(actual)}`);
      return;
    }
    this.compared++;
    if (actual === undefined) this.fail(`${name}: nothing here computes it`);
    else if (typeof expected === 'number' && typeof actual === 'number') {
      if (!isTolerance(tolerance)) this.fail(`${name}: the manifest gives no tolerance`);
      else if (!this.number(actual, expected, tolerance)) {
        this.fail(`${name}: expected ${expected} within ${shown(tolerance)}, got ${actual}`);
      }
    } else if (actual !== expected) {
      this.fail(`${name}: expected ${JSON.stringify(expected)}, got ${JSON.stringify(actual)}`);
    }
  }
}

/** Compares all that the manifest expects with what was computed; what nothing computed is a failure. */
export async function compareCase(c: Case, outcome: Outcome): Promise<Comparison> {
  const comparison = new Comparison();
  compareTensors(comparison, c, outcome);
  for (const [name, expected] of Object.entries(c.manifest.expectedValues)) {
    comparison.value(name, ownValue(outcome.values, name), expected, c.manifest.valueTolerances[name]);
  }
  await compareFiles(comparison, c, outcome);
  for (const { name, actual, expected, tolerance } of outcome.also ?? []) {
    comparison.value(name, actual, expected, tolerance);
  }
  if (comparison.compared === 0) comparison.fail('the manifest expects nothing');
  return comparison;
}

function compareTensors(comparison: Comparison, c: Case, outcome: Outcome): void {
  for (const [name, { role, tolerance }] of Object.entries(c.manifest.tensors)) {
    if (EXPECTED_ROLES.includes(role)) {
      comparison.tensor(name, ownValue(outcome.tensors, name), c.host(name), tolerance);
    } else if (!GIVEN_ROLES.includes(role)) {
      comparison.fail(`${name}: the role '${role}' is not known`);
    } else {
      const derived = ownValue(outcome.inputs, name);
      if (derived) comparison.tensor(name, derived, c.host(name), EXACT);
    }
  }
}

/** Files of the case that the manifest gives tolerances for: name for name. */
async function compareFiles(comparison: Comparison, c: Case, { files = {} }: Outcome): Promise<void> {
  for (const [file, tolerances] of Object.entries(c.manifest.fileTolerances)) {
    const expected = await readFile(`${c.folder}/${file}`);
    const names = new Set([...expected.keys(), ...Object.keys(files[file] ?? {}), ...Object.keys(tolerances)]);
    for (const name of names) {
      const stored = expected.get(name);
      if (!stored) comparison.fail(`${file}: ${name}: the file has no such tensor`);
      else comparison.tensor(`${file}: ${name}`, ownValue(files[file], name), stored, ownValue(tolerances, name));
    }
  }
}

function ownValue<T>(table: Readonly<Record<string, T>> | undefined, name: string): T | undefined {
  return table && Object.hasOwn(table, name) ? table[name] : undefined;
}

function isTolerance(tolerance: Tolerance | undefined): tolerance is Tolerance {
  return Boolean(tolerance?.exact) || typeof tolerance?.atol === 'number' || typeof tolerance?.rtol === 'number';
}

function shown({ atol = 0, rtol = 0, exact }: Tolerance): string {
  return exact ? 'nothing (exact)' : `${atol} + ${rtol}·|expected|`;
}
