import { readFileSync } from 'node:fs';
import { type BatchOptions, type Encoding, Tokenizer } from '@burin/tokenizers';

export type GoldenRow = Omit<Encoding, 'sample'>;

/** What Hugging Face's own library, tokenizers 0.23.2, makes of texts: see golden/make.py. */
export interface Golden {
  corpus: string[];
  tokenizer: Record<string, unknown>;
  config: Record<string, unknown>;
  texts: (GoldenRow & { text: string; decoded: string })[];
  pairs: (GoldenRow & { texts: [string, string] })[];
  truncated: { texts: [string] | [string, string]; options: BatchOptions; rows: GoldenRow[] }[];
}

export type Family = 'gpt2' | 'roberta' | 'llama3' | 'bert' | 'llama2' | 't5';

export function readGolden(name: Family): Golden {
  return JSON.parse(readFileSync(new URL(`golden/${name}.json`, import.meta.url), 'utf8'));
}

export function goldenTokenizer(name: Family): Tokenizer {
  const { tokenizer, config } = readGolden(name);
  return new Tokenizer(tokenizer, config);
}
