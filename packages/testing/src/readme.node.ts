import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { compareOutput, instrument, readExamples } from './readme-example.js';

/** Precedes the lines that an example reports, so that its other output cannot be mistaken for one. */
const MARK = '\u0001burin:';

/** Sends what each `console.log` printed, as text, with the line of the README that it stands on. */
const PRELUDE = `
import { inspect as __inspect } from 'node:util';
const __show = (v) => typeof v === 'string' ? v : __inspect(v, { breakLength: Infinity, maxArrayLength: null, depth: null });
globalThis.__log = (line, ...values) =>
  process.stdout.write('${MARK}' + JSON.stringify({ line, text: values.map(__show).join(' ') }) + '\\n');
`;

/**
 * Declares one test for each `ts` block of a README. A block runs as a program of its own, in the package's folder, with
 * the names of packages leading to their sources; what each `console.log` prints is compared with the comment behind it.
 *
 * @param readme - where the README lies: `new URL('../README.md', import.meta.url)`
 * @param folder - the package in whose name the examples import; by default the one that the README lies in
 * @example
 * testReadme(new URL('../README.md', import.meta.url));
 */
export function testReadme(readme: URL, folder = new URL('.', readme)): void {
  const examples = readExamples(readFileSync(readme, 'utf8'));
  describe('README.md', () => {
    it('has an example', () => expect(examples.length).toBeGreaterThan(0));
    for (const example of examples) {
      it(`runs the example of line ${example.line}`, { timeout: 60_000 }, () => {
        const { code, expected } = instrument(example);
        const printed = run(code, fileURLToPath(folder));
        for (const { line, text } of expected) {
          expect(printed.has(line), `README.md:${line}: console.log was not reached`).toBe(true);
          expect(compareOutput(printed.get(line)!, text), `README.md:${line}`).toBe('');
        }
      });
    }
  });
}

/** Runs an instrumented example in `folder`, and returns what it logged last on each line. */
function run(code: string, folder: string): Map<number, string> {
  const temporary = mkdtempSync(join(tmpdir(), 'burin-readme-')); // for what it leaves behind
  // not in the environment that it starts with: tsx would look for its cache there
  const setUp = `${PRELUDE}process.env.TMPDIR = process.env.TEMP = ${JSON.stringify(temporary)};`;
  const flags = ['--import', 'tsx', '--conditions=@burin/source', '--input-type=module', '--eval', setUp + code];
  const { status, stdout, stderr } = spawnSync(process.execPath, flags, { cwd: folder, encoding: 'utf8' });
  rmSync(temporary, { recursive: true, force: true });
  if (status !== 0) throw new Error(`the example ended with status ${status}:\n${stderr}`);
  const reports = stdout.split('\n').filter((line) => line.startsWith(MARK));
  return new Map(reports.map((line) => JSON.parse(line.slice(MARK.length))).map(({ line, text }) => [line, text]));
}
