import { parseArgs } from 'node:util';

/** What the command was asked to do. */
export interface Options {
  /** The folder of cases: `DIR/<group>/<case>/manifest.json`. */
  readonly dir: string;
  /** Cases whose `group/case` begins so. */
  readonly prefix: string;
  /** A file for the results. */
  readonly json: string | null;
}

const USAGE = 'usage: pnpm conformance [--dir DIR] [--device cpu|gpu] [--case PREFIX] [--json FILE]';

/** @throws RangeError that says what to write instead */
export function parseArguments(args: readonly string[], defaultDir: string): Options {
  const { dir = defaultDir, device = 'cpu', case: prefix = '', json = null } = parse(args);
  if (device === 'gpu') {
    throw new RangeError("conformance: there is no device 'gpu' yet: expected cpu; leave out --device");
  }
  if (device !== 'cpu') throw new RangeError(`conformance: --device must be cpu or gpu, got ${device}; ${USAGE}`);
  return { dir, prefix, json };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    // pnpm passes on the `--` that some people put before the options
    const own = args[0] === '--' ? args.slice(1) : [...args];
    return parseArgs({ args: own, options: { dir: text, device: text, case: text, json: text } }).values;
  } catch (cause) {
    throw new RangeError(`conformance: ${(cause as Error).message}; ${USAGE}`, { cause });
  }
}
