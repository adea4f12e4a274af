import { parseArgs } from 'node:util';
import type { BackendName } from '@burin/tensor/gpu';

/** What the command was asked to do. */
export interface Options {
  /** The folder of cases: `DIR/<group>/<case>/manifest.json`. */
  readonly dir: string;
  /** Cases whose `group/case` begins so. */
  readonly prefix: string;
  /** A file for the results. */
  readonly json: string | null;
  readonly device: 'cpu' | 'gpu';
  /** The GPU's backend; null: the best there is. */
  readonly backend: BackendName | null;
}

const USAGE =
  'usage: pnpm conformance [--dir DIR] [--device cpu|gpu] [--backend webgpu|headlessgl] [--case PREFIX] [--json FILE]';

/** @throws RangeError that says what to write instead */
export function parseArguments(args: readonly string[], defaultDir: string): Options {
  const { dir = defaultDir, device = 'cpu', backend = null, case: prefix = '', json = null } = parse(args);
  if (device !== 'cpu' && device !== 'gpu') {
    throw new RangeError(`conformance: --device must be cpu or gpu, got ${device}; ${USAGE}`);
  }
  if (backend !== null && device !== 'gpu') {
    throw new RangeError(`conformance: --backend is the GPU's: expected --device gpu beside it; ${USAGE}`);
  }
  return { dir, prefix, json, device, backend: backend as BackendName | null };
}

function parse(args: readonly string[]) {
  const text = { type: 'string' } as const;
  try {
    // pnpm passes on the `--` that some people put before the options
    const own = args[0] === '--' ? args.slice(1) : [...args];
    return parseArgs({ args: own, options: { dir: text, device: text, backend: text, case: text, json: text } }).values;
  } catch (cause) {
    throw new RangeError(`conformance: ${(cause as Error).message}; ${USAGE}`, { cause });
  }
}
