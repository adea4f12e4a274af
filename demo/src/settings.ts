import { parseArgs } from 'node:util';

/** Bytes (or tokens, of another base) that the model reads of a mail. */
export const CONTEXT = 256;
/** How the mails are split; the checkpoint that is shipped was pretrained on text of this training part. */
export const SPLIT = { testSize: 500, seed: 7 };

/** What the command line asks for. */
export interface Settings {
  base: string; // a Hugging Face folder of a Llama
  out: string; // where the adapter, the merged model and the report go
  json: string | null;
  trainMails: number;
  testMails: number;
  batchSize: number;
}

const USAGE = `pnpm demo [--base DIR] [--out DIR] [--json FILE] [--train N] [--test N]

  --base DIR   a Hugging Face folder of a Llama to start from (default: the checkpoint in demo/base)
  --out DIR    where the report, the adapter and the merged model are written (default: demo/out)
  --json FILE  all figures as JSON
  --train N    mails to fine-tune on (default 1500)
  --test N     mails to measure on, 500 at most (default 500)`;

/** @returns null where help was asked for and printed; throws for an option that there is not */
export function readSettings(args: readonly string[]): Settings | null {
  const folder = (name: string) => new URL(`../${name}`, import.meta.url).pathname;
  const { values } = parseArgs({
    args: [...args].filter((arg) => arg !== '--'),
    options: {
      base: { type: 'string', default: folder('base') },
      out: { type: 'string', default: folder('out') },
      json: { type: 'string' },
      train: { type: 'string', default: '1500' },
      test: { type: 'string', default: String(SPLIT.testSize) },
      help: { type: 'boolean', default: false },
    },
  });
  if (values.help) {
    console.log(USAGE);
    return null;
  }
  return {
    base: values.base,
    out: values.out,
    json: values.json ?? null,
    trainMails: count('--train', values.train, 16, Number.MAX_SAFE_INTEGER),
    testMails: count('--test', values.test, 8, SPLIT.testSize),
    batchSize: 8,
  };
}

function count(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${name}: expected a whole number from ${least} to ${most}, got ${text}`);
}
