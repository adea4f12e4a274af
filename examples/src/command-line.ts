import { parseArgs } from 'node:util';

/** An option that holds a number: its default, and what it may be. */
export interface CountOption {
  readonly value: number;
  readonly least: number;
}

/** What is common to the examples' command lines. */
export interface CommandLine<Name extends string> {
  readonly counts: Readonly<Record<Name, number>>;
  readonly out: string;
  readonly json: string | null;
}

/**
 * Reads `--out DIR`, `--json FILE` and an option for each of `counts`.
 *
 * @returns null where help was asked for and printed
 * @throws RangeError for a number out of its range; TypeError for an option that there is not
 */
export function readCommandLine<Name extends string>(
  args: readonly string[],
  usage: string,
  out: string,
  counts: Readonly<Record<Name, CountOption>>,
): CommandLine<Name> | null {
  const names = Object.keys(counts) as Name[];
  const numbers = names.map((name) => [name, { type: 'string', default: String(counts[name].value) }] as const);
  const { values } = parseArgs({
    args: args.filter((arg) => arg !== '--'),
    options: {
      ...Object.fromEntries(numbers),
      out: { type: 'string', default: out },
      json: { type: 'string' },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return null;
  }
  const given = values as unknown as Readonly<Record<string, string>>;
  const read = names.map((name) => [name, count(`--${name}`, given[name]!, counts[name].least)]);
  return {
    counts: Object.fromEntries(read) as Record<Name, number>,
    out: given.out!,
    json: given.json ?? null,
  };
}

function count(name: string, text: string, least: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least) return value;
  throw new RangeError(`${name}: expected a whole number of ${least} or more, got ${text}`);
}
