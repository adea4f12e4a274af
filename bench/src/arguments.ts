import { parseArgs } from 'node:util';

/** What the command was asked to do. */
export interface Options {
  /** Cases whose name begins so. */
  readonly prefix: string;
  /** A file for the records, one a line. */
  readonly json: string | null;
  readonly threads: number | null;
  /** Null: what the environment says. */
  readonly blas: string | null;
  readonly peers: boolean;
  /** Of `gpu`: null is the best there is. */
  readonly backend: string | null;
  /** The baseline to compare with. */
  readonly compare: string | null;
}

const USAGE =
  'usage: pnpm bench [NAME] [--json FILE] [--threads N] [--blas auto|off|LIBRARY] [--peers] [--compare [FILE.jsonl]]; pnpm bench gpu [--backend webgpu|headlessgl]';

/** @throws RangeError that says what to write instead */
export function parseArguments(args: readonly string[], baseline: string): Options {
  const { values, positionals } = parse(namedBaseline(args, baseline));
  if (positionals.length > 1) throw new RangeError(`bench: one NAME at most, got ${positionals.join(', ')}; ${USAGE}`);
  const prefix = positionals[0] ?? '';
  const others = prefix === 'gpu' ? (['threads', 'blas', 'peers', 'compare'] as const) : (['backend'] as const);
  const wrong = others.find((name) => values[name] !== undefined);
  if (wrong) throw new RangeError(`bench: --${wrong} is ${prefix === 'gpu' ? 'not ' : ''}for gpu; ${USAGE}`);
  return {
    prefix,
    json: values.json ?? null,
    threads: values.threads === undefined ? null : wholeNumber('threads', values.threads, USAGE),
    blas: values.blas ?? null,
    peers: values.peers ?? false,
    backend: values.backend ?? null,
    compare: values.compare ?? null,
  };
}

/** `--compare` may stand alone: then it means the committed baseline. A value is told by its ending. */
function namedBaseline(args: readonly string[], baseline: string): string[] {
  // pnpm passes on the `--` that some people put before the options
  const own = args[0] === '--' ? args.slice(1) : [...args];
  const at = own.indexOf('--compare');
  if (at >= 0 && !/\.jsonl?$/.test(own[at + 1] ?? '')) own.splice(at + 1, 0, baseline);
  return own;
}

function parse(args: string[]) {
  const text = { type: 'string' } as const;
  const options = {
    json: text,
    threads: text,
    blas: text,
    compare: text,
    backend: text,
    peers: { type: 'boolean' },
  } as const;
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (cause) {
    throw new RangeError(`bench: ${(cause as Error).message}; ${USAGE}`, { cause });
  }
}

/** @throws RangeError that says what to write instead */
export function wholeNumber(option: string, value: string, usage: string): number {
  const count = Number(value);
  if (Number.isInteger(count) && count >= 1) return count;
  throw new RangeError(`bench: --${option} must be a whole number of 1 or more, got ${value}; ${usage}`);
}
