import { CheckpointError, readJsonFile } from '@burin/checkpoint';
import { Tokenizer as HuggingFaceTokenizer } from '@huggingface/tokenizers';

/** Text to token ids and back. */
export interface TextTokenizer {
  readonly vocabSize: number;
  /** The id that fills short rows up, or null where the tokenizer names none. */
  readonly padTokenId: number | null;
  readonly bosTokenId: number | null;
  /** Ids that end a text. */
  readonly eosTokenIds: readonly number[];
  encode(text: string, options?: { addSpecialTokens?: boolean }): number[];
  decode(ids: Iterable<number>, options?: { skipSpecialTokens?: boolean }): string;
  /** The content of tokenizer.json, and of tokenizer_config.json where there is one. */
  toJson(): Record<string, unknown>;
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

  /** Reads tokenizer.json and tokenizer_config.json of a model's folder. @throws CheckpointError that names the file */
  static async fromFolder(folder: string): Promise<Tokenizer> {
    const json = await readJsonFile(`${folder}/tokenizer.json`);
    const config = await readJsonFile(`${folder}/tokenizer_config.json`).catch(() => ({})); // older folders have none
    try {
      return new Tokenizer(json as Record<string, unknown>, config as Record<string, unknown>);
    } catch (cause) {
      throw new CheckpointError(`${folder}/tokenizer.json: not a tokenizer that can be read: ${String(cause)}`, {
        cause,
      });
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
