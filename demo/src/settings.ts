import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import type { BackendName } from '@burin/tensor/gpu';

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
  device: 'cpu' | 'gpu';
  backend: BackendName | null; // of the GPU; null is the best there is
  beside: string | null; // figures of another run
}

const USAGE = `pnpm demo [--base DIR] [--out DIR] [--json FILE] [--train N] [--test N]
          [--device cpu|gpu] [--backend webgpu|headlessgl] [--beside FILE]

  --base DIR   a Hugging Face folder of a Llama to start from (default: the checkpoint in demo/base)
  --out DIR    where the report, the adapter and the merged model are written (default: demo/out)
  --json FILE  all figures as JSON
  --train N    mails to fine-tune on (default 1500)
  --test N     mails to measure on, 500 at most (default 500)
  --device D   cpu (default) or gpu; a GPU that is not there is an error
  --backend B  the GPU's backend: webgpu or headlessgl (default: the best there is)
  --beside F   figures that --json wrote in another run: how far this run's losses are from those`;

/** @returns null where help was asked for and printed; throws for an option that there is not */
export function readSettings(args: readonly string[]): Settings | null {
  const folder = (name: string) => fileURLToPath(new URL(`../${name}`, import.meta.url));
  const { values } = parseArgs({
    args: [...args].filter((arg) => arg !== '--'),
    options: {
      base: { type: 'string', default: folder('base') },
      out: { type: 'string', default: folder('out') },
      json: { type: 'string' },
      train: { type: 'string', default: '1500' },
      test: { type: 'string', default: String(SPLIT.testSize) },
      device: { type: 'string', default: 'cpu' },
      backend: { type: 'string' },
      beside: { type: 'string' },
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
    device: checkDevice(values.device),
    backend: checkBackend(values.backend, values.device),
    beside: values.beside ?? null,
  };
}

function checkDevice(name: string): 'cpu' | 'gpu' {
  if (name === 'cpu' || name === 'gpu') return name;
  throw new RangeError(`--device: expected cpu or gpu, got ${name}`);
}

function checkBackend(name: string | undefined, device: string): BackendName | null {
  if (name !== undefined && device !== 'gpu') {
    throw new RangeError("--backend is the GPU's: expected --device gpu beside it");
  }
  return (name as BackendName | undefined) ?? null; // gpu() knows which there are
}

function count(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw new RangeError(`${name}: expected a whole number from ${least} to ${most}, got ${text}`);
}
