import { GgufError } from './errors.js';

/** llama.cpp's names of the expressions by which text is cut before merging. */
const SPLITS: readonly [pattern: string, name: string][] = [
  [
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    'llama-bpe',
  ],
  [
    "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+",
    'qwen2',
  ],
];

interface Step {
  readonly type: string;
  readonly pretokenizers?: readonly Step[];
  readonly pattern?: { readonly Regex?: string };
  readonly use_regex?: boolean;
  readonly individual_digits?: boolean;
}

/**
 * llama.cpp's name of how a byte-level tokenizer cuts text: `tokenizer.ggml.pre`.
 *
 * @throws GgufError where it cuts in a way that has no name here
 */
export function preTokenizerName(json: { readonly pre_tokenizer?: unknown }, where: string): string {
  const step = json.pre_tokenizer as Step | null | undefined;
  const steps = step ? (step.pretokenizers ?? [step]) : [];
  const split = steps.find(({ type }) => type === 'Split');
  const known = SPLITS.find(([pattern]) => pattern === split?.pattern?.Regex);
  if (known && steps.length === 2) return known[1];
  const cutsAsGpt2 = steps.at(-1)?.type === 'ByteLevel' && steps.at(-1)!.use_regex !== false;
  if (cutsAsGpt2 && steps.length === 1) return 'gpt-2';
  if (cutsAsGpt2 && steps.length === 2 && steps[0]!.type === 'Digits' && steps[0]!.individual_digits) return 'smollm';
  throw new GgufError(
    `${where}: pre_tokenizer must cut text as llama-bpe, qwen2, smollm or gpt-2 do: got ` +
      `${steps.map(({ type }) => type).join(', ') || 'none'}; pass preTokenizer with llama.cpp's name of it`,
  );
}
