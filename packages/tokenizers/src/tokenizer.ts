import { CheckpointError, exists, readJsonFile } from '@burin/checkpoint';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';

/** Text to token ids and back. */
export interface TextTokenizer {
  readonly vocabSize: number;
  /** The id that fills short rows up, or null where the tokenizer names none. */
  readonly padTokenId: number | null;
  readonly bosTokenId: number | null;
  /** Ids that end a text. */
  readonly eosTokenIds: readonly number[];
  /** Ids of a text; with the tokens that the tokenizer puts around it, unless `addSpecialTokens` is false. */
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  /** The text of ids; special tokens are left out, unless `skipSpecialTokens` is false. */
  decode(ids: Iterable<number>, options?: { skipSpecialTokens?: boolean }): string;
  /** The content of tokenizer.json. */
  toJson(): Record<string, unknown>;
  /** The content of tokenizer_config.json, where there is one. */
  configJson?(): Record<string, unknown>;
}

/**
 * A tokenizer.json (BPE, WordPiece or Unigram), through `@huggingface/tokenizers`.
 *
 * @example
 * const tokenizer = await Tokenizer.fromFolder('models/stories260k');
 * tokenizer.encode('Once upon a time'); // [1, 403, 407, 261, 378]
 */
export class Tokenizer implements TextTokenizer {
  readonly padTokenId: number | null;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  readonly vocabSize: number;
  #tokenizer: HuggingFaceTokenizer;
  #json: Record<string, unknown>;
  #config: Record<string, unknown>;

  /** One of the content of tokenizer.json, and of tokenizer_config.json. */
  constructor(json: Record<string, unknown>, config: Record<string, unknown> = {}) {
    this.#tokenizer = new HuggingFaceTokenizer(json, config);
    this.#json = json;
    this.#config = config;
    this.vocabSize = this.#tokenizer.get_vocab(true).size;
    this.padTokenId = this.#special('pad_token');
    this.bosTokenId = this.#special('bos_token');
    const eos = this.#special('eos_token');
    this.eosTokenIds = eos === null ? [] : [eos];
  }

  /**
   * Reads tokenizer.json of a model's folder, and tokenizer_config.json, which older folders have not.
   *
   * @throws CheckpointError that names the file, if it is not there or no tokenizer
   */
  static async fromFolder(folder: string): Promise<Tokenizer> {
    const path = `${folder}/tokenizer.json`;
    const json = jsonObject(await readJsonFile(path), path);
    const configPath = `${folder}/tokenizer_config.json`;
    const config = (await exists(configPath)) ? jsonObject(await readJsonFile(configPath), configPath) : {};
    try {
      return new Tokenizer(json, config);
    } catch (cause) {
      throw new CheckpointError(`${path}: not a tokenizer that can be read: ${String(cause)}`, { cause });
    }
  }

  #special(name: string): number | null {
    const value = this.#config[name];
    const token = typeof value === 'object' && value !== null ? (value as { content?: unknown }).content : value;
    return typeof token === 'string' ? (this.#tokenizer.token_to_id(token) ?? null) : null;
  }

  encode(text: string, { addSpecialTokens = true }: { addSpecialTokens?: boolean } = {}): number[] {
    return [...this.#tokenizer.encode(text, { add_special_tokens: addSpecialTokens }).ids];
  }

  decode(ids: Iterable<number>, { skipSpecialTokens = true }: { skipSpecialTokens?: boolean } = {}): string {
    return this.#tokenizer.decode([...ids], { skip_special_tokens: skipSpecialTokens });
  }

  toJson(): Record<string, unknown> {
    return this.#json;
  }

  configJson(): Record<string, unknown> {
    return this.#config;
  }
}

function jsonObject(value: unknown, path: string): Record<string, unknown> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Record<string, unknown>;
  throw new CheckpointError(`${path}: expected a JSON object`);
}
