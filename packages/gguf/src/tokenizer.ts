import type { ConfigValues } from './config.js';
import { GgufError } from './errors.js';
import { bool, float32s, int32s, type Metadata, string, strings, uint32 } from './metadata.js';
import { preTokenizerName } from './pre-tokenizer.js';

/** The files of a tokenizer. */
export interface TokenizerFiles {
  /** What tokenizer.json holds; null for a model without text. */
  readonly tokenizer: unknown;
  /** What tokenizer_config.json holds. */
  readonly config?: unknown;
  /** For messages. */
  readonly where: string;
}

/** llama.cpp's kinds of tokens. */
const KIND = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

/** A token that tokenizer.json lists apart from the vocabulary. */
interface AddedToken {
  readonly id: number;
  readonly content: string;
  readonly special: boolean;
}

interface BpeModel {
  readonly type: string;
  readonly vocab: Readonly<Record<string, number>>;
  readonly merges: readonly (string | readonly [string, string])[];
  readonly unk_token?: string | null;
}

interface TokenizerJson {
  readonly model: BpeModel;
  readonly added_tokens?: readonly AddedToken[];
  readonly pre_tokenizer?: unknown;
  readonly post_processor?: unknown;
}

/**
 * The vocabulary under llama.cpp's keys: byte-pair tokenizers, over bytes (as GPT-2, Llama 3 and Qwen) or over text in
 * which `▁` stands for a space (as Llama 2).
 *
 * @param model - config.json, for the ids of special tokens
 * @param preTokenizer - llama.cpp's name of how text is cut before merging; left out, it follows from tokenizer.json
 * @throws GgufError for a tokenizer that llama.cpp has none for
 */
export function tokenizerMetadata(files: TokenizerFiles, model: ConfigValues, preTokenizer?: string): Metadata {
  if (files.tokenizer === null) return new Map([['tokenizer.ggml.model', string('no_vocab')]]);
  const json = checked(files);
  const isByteLevel = hasType(json, 'ByteLevel');
  const tokens = tokenList(json, model.number('vocab_size'), isByteLevel, files.where);
  const metadata: Metadata = new Map();
  metadata.set('tokenizer.ggml.model', string(isByteLevel ? 'gpt2' : 'llama'));
  if (isByteLevel) metadata.set('tokenizer.ggml.pre', string(preTokenizer ?? preTokenizerName(json, files.where)));
  else metadata.set('tokenizer.ggml.pre', string('default'));
  metadata.set('tokenizer.ggml.tokens', strings(tokens.map(({ text }) => text)));
  if (!isByteLevel) metadata.set('tokenizer.ggml.scores', float32s(scores(json, tokens)));
  metadata.set('tokenizer.ggml.token_type', int32s(tokens.map(({ kind }) => kind)));
  if (isByteLevel) metadata.set('tokenizer.ggml.merges', strings(json.model.merges.map(mergeText)));
  addSpecialTokens(metadata, json, model);
  if (!isByteLevel) metadata.set('tokenizer.ggml.add_space_prefix', bool(hasType(json, 'Prepend') || prefixes(json)));
  const template = chatTemplate(files.config);
  if (template !== null) metadata.set('tokenizer.chat_template', string(template));
  return metadata;
}

function checked({ tokenizer, where }: TokenizerFiles): TokenizerJson {
  const json = tokenizer as TokenizerJson;
  const type: unknown = json.model?.type ?? (Array.isArray(json.model?.merges) ? 'BPE' : undefined);
  const isKnown = type === 'BPE' && (hasType(json, 'ByteLevel') || JSON.stringify(json).includes('▁'));
  if (isKnown) return json;
  throw new GgufError(
    `${where}: the tokenizer must be one that llama.cpp has: expected BPE over bytes or over text with ▁ for spaces, ` +
      `got ${JSON.stringify(type)}; pass tokenizer: null to write the model without one`,
  );
}

interface Token {
  readonly text: string;
  readonly kind: number;
}

/** Every id from 0 to the size of the embeddings; what the tokenizer lacks is filled up with unused ones. */
function tokenList(json: TokenizerJson, size: number, isByteLevel: boolean, where: string): Token[] {
  const tokens = Array.from({ length: size }, (_, id): Token => ({ text: `[PAD${id}]`, kind: KIND.unused }));
  const put = (id: number, token: Token) => {
    if (id < size) tokens[id] = token;
    else throw new GgufError(`${where}: ${JSON.stringify(token.text)} has id ${id}: vocab_size is ${size}`);
  };
  for (const [text, id] of Object.entries(json.model.vocab)) {
    const isByte = !isByteLevel && /^<0x[0-9A-F]{2}>$/.test(text);
    put(id, { text, kind: isByte ? KIND.byte : KIND.normal });
  }
  for (const { id, content, special } of json.added_tokens ?? []) {
    put(id, { text: content, kind: special ? KIND.control : KIND.userDefined });
  }
  const unknown = json.model.unk_token ? json.model.vocab[json.model.unk_token] : undefined;
  if (unknown !== undefined && !isByteLevel) put(unknown, { text: json.model.unk_token!, kind: KIND.unknown });
  return tokens;
}

/** llama.cpp merges the pair whose result scores highest; merges are listed in the order in which they are made. */
function scores(json: TokenizerJson, tokens: readonly Token[]): number[] {
  const rank = new Map<string, number>();
  for (const [i, merge] of json.model.merges.entries()) {
    const merged = mergePair(merge).join('');
    if (!rank.has(merged)) rank.set(merged, i);
  }
  const { size } = rank;
  return tokens.map(({ text, kind }) => (kind === KIND.normal ? -(rank.get(text) ?? size) : 0));
}

/** A pair of tokens; older files have them as text, in which a space parts them. */
function mergePair(merge: string | readonly [string, string]): readonly [string, string] {
  if (typeof merge !== 'string') return merge;
  const at = merge.indexOf(' ', 1);
  return [merge.slice(0, at), merge.slice(at + 1)];
}

function mergeText(merge: string | readonly [string, string]): string {
  return mergePair(merge).join(' ');
}

function addSpecialTokens(metadata: Metadata, json: TokenizerJson, model: ConfigValues): void {
  const id = (key: string) => {
    const value = model.raw[key];
    return Array.isArray(value) ? (value[0] as number) : (value as number | null | undefined);
  };
  const unknown = json.model.unk_token ? json.model.vocab[json.model.unk_token] : undefined;
  const ids = {
    bos: id('bos_token_id'),
    eos: id('eos_token_id'),
    unknown,
    padding: id('pad_token_id'),
  };
  for (const [name, value] of Object.entries(ids)) {
    if (typeof value === 'number' && value >= 0) metadata.set(`tokenizer.ggml.${name}_token_id`, uint32(value));
  }
  const around = templateEnds(json);
  metadata.set('tokenizer.ggml.add_bos_token', bool(ids.bos !== undefined && around.first === ids.bos));
  metadata.set('tokenizer.ggml.add_eos_token', bool(ids.eos !== undefined && around.last === ids.eos));
}

/** Ids of the special tokens that the post-processor puts before and after a text. */
function templateEnds(json: TokenizerJson): { first?: number | undefined; last?: number | undefined } {
  const template = findType(json.post_processor, 'TemplateProcessing') as
    | { single: { SpecialToken?: { id: string } }[]; special_tokens: Record<string, { ids: number[] }> }
    | undefined;
  if (!template) return {};
  const idOf = (piece: { SpecialToken?: { id: string } } | undefined) =>
    piece?.SpecialToken && template.special_tokens[piece.SpecialToken.id]?.ids[0];
  return { first: idOf(template.single[0]), last: idOf(template.single.at(-1)) };
}

/** Whether Metaspace puts a space before the text. */
function prefixes(json: TokenizerJson): boolean {
  const metaspace = findType(json, 'Metaspace') as { prepend_scheme?: string; add_prefix_space?: boolean } | undefined;
  return metaspace ? metaspace.prepend_scheme !== 'never' && metaspace.add_prefix_space !== false : false;
}

function hasType(value: unknown, type: string): boolean {
  return findType(value, type) !== undefined;
}

/** The first object of a `type`, at any depth; the vocabulary is not looked into. */
function findType(value: unknown, type: string): object | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  if ('type' in value && value.type === type) return value;
  for (const [key, item] of Object.entries(value)) {
    const found = key === 'vocab' || key === 'merges' ? undefined : findType(item, type);
    if (found) return found;
  }
  return undefined;
}

function chatTemplate(config: unknown): string | null {
  const template = (config as { chat_template?: unknown } | null | undefined)?.chat_template;
  if (typeof template === 'string') return template;
  if (!Array.isArray(template)) return null;
  const named = template as { name: string; template: string }[];
  return named.find(({ name }) => name === 'default')?.template ?? null;
}
