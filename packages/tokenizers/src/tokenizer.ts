import {
  CheckpointError,
  type FolderSource,
  fileName,
  hasFile,
  makeFolder,
  readJson,
  readText,
  writeFileAtomic,
} from '@burin/checkpoint';
import { type BatchDefaults, type BatchOptions, planBatch } from './batch-options.js';
import type { ChatMessage, ChatOptions, ChatTemplateOptions } from './chat/chat-message.js';
import { ChatRenderer } from './chat/chat-renderer.js';
import { type ChatEncoding, maskTokens } from './chat/encode-chat.js';
import { checkText, listIds } from './check-input.js';
import { encodeRows, type TextInput } from './encode-batch.js';
import type { Encoding, TextTokens } from './encoding.js';
import { TokenizerError } from './errors.js';
import { isObject, type Json, tokenText } from './json.js';
import { type Library, openLibrary } from './library.js';
import { OffsetFinder } from './offsets/find-offsets.js';
import { type Frame, fillSlots, frameOf, slotsOf } from './post-processor.js';
import type { TextTokenizer } from './text-tokenizer.js';

/** Above this `model_max_length` stands for "no limit": transformers then writes 1e30. */
const LARGEST_MAX_LENGTH = 1e9;

/**
 * A tokenizer.json (BPE, WordPiece, Unigram or WordLevel), read through `@huggingface/tokenizers`, with what is missing there
 * around it: batches with padding and truncation, places in the text, chat templates.
 *
 * @example
 * const tokenizer = await Tokenizer.fromFolder('models/stories260k');
 * tokenizer.encode('Once upon a time'); // [1, 403, 407, 261, 378]
 */
export class Tokenizer implements TextTokenizer {
  readonly padTokenId: number | null;
  readonly bosTokenId: number | null;
  readonly eosTokenIds: readonly number[];
  readonly unkTokenId: number | null;
  readonly clsTokenId: number | null;
  readonly sepTokenId: number | null;
  readonly maskTokenId: number | null;
  readonly vocabSize: number;
  readonly #tokenizer: Library;
  readonly #json: Json;
  readonly #config: Json;
  readonly #frame: Frame;
  readonly #chat: ChatRenderer;
  #finder: OffsetFinder | null = null;

  /**
   * One of the content of tokenizer.json, and of tokenizer_config.json.
   *
   * @throws TokenizerError, or an error of `@huggingface/tokenizers`, if the content is no tokenizer that can be read
   */
  constructor(json: Json, config: Json = {}) {
    this.#tokenizer = openLibrary(json, config);
    this.#json = json;
    this.#config = config;
    this.#frame = frameOf(json.post_processor, (token) => this.tokenToId(token) ?? undefined);
    this.#chat = new ChatRenderer(json, config);
    this.vocabSize = countTokens(this.#tokenizer);
    this.padTokenId = this.#special('pad_token');
    this.bosTokenId = this.#special('bos_token');
    this.unkTokenId = this.#special('unk_token');
    this.clsTokenId = this.#special('cls_token');
    this.sepTokenId = this.#special('sep_token');
    this.maskTokenId = this.#special('mask_token');
    const eos = this.#special('eos_token');
    this.eosTokenIds = eos === null ? [] : [eos];
  }

  /**
   * Reads tokenizer.json of a model's folder; and tokenizer_config.json, special_tokens_map.json and chat_template.jinja, of
   * which older folders have some and newer ones others.
   *
   * @param folder - a path, in Node; or, anywhere, the folder's files by name, such as those that a person picked
   * @throws CheckpointError that names the file, if it is not there or no tokenizer
   */
  static async fromFolder(folder: FolderSource): Promise<Tokenizer> {
    const path = fileName(folder, 'tokenizer.json');
    const json = jsonObject(await readJson(folder, 'tokenizer.json'), path);
    const config = await readConfig(folder);
    try {
      return new Tokenizer(json, config);
    } catch (cause) {
      throw new CheckpointError(`${path}: not a tokenizer that can be read: ${String(cause)}`, { cause });
    }
  }

  /** Writes tokenizer.json and tokenizer_config.json into a folder, which is made where there is none. */
  async savePretrained(folder: string): Promise<void> {
    await makeFolder(folder);
    await writeFileAtomic(`${folder}/tokenizer.json`, JSON.stringify(this.#json));
    await writeFileAtomic(`${folder}/tokenizer_config.json`, JSON.stringify(this.#config, null, 2));
  }

  encode(text: string, { addSpecialTokens = true }: { addSpecialTokens?: boolean } = {}): number[] {
    const tokens = this.#tokensOf(text);
    if (!addSpecialTokens) return [...tokens.ids];
    return fillSlots(slotsOf(this.#frame, false, true), [tokens]).map(({ id }) => id);
  }

  /**
   * Texts, or pairs of a text and another (`[question, context]`), as rows: cut, framed and filled up as asked.
   *
   * @throws RangeError if an option is out of range, or they ask for what cannot be had
   * @example
   * const rows = tokenizer.encodeBatch(['a', 'longer text'], { padding: true, truncation: true, maxLength: 128 });
   * const inputIds = rows.map((row) => row.inputIds);
   */
  encodeBatch(inputs: readonly TextInput[], options: BatchOptions = {}): Encoding[] {
    const plan = planBatch(options, this.#batchDefaults());
    return encodeRows(inputs, (text) => this.#tokensOf(text, plan.offsets), this.#frame, plan);
  }

  /**
   * The text of a conversation, as the model was trained to read it: by `chat_template` of tokenizer_config.json, or
   * chat_template.jinja. It has its special tokens in it, so encode it with `addSpecialTokens: false`.
   *
   * @throws TokenizerError if there is no template, it refuses the messages, or options ask for what cannot be had
   * @example
   * const prompt = tokenizer.applyChatTemplate([{ role: 'user', content: 'Hi' }], { addGenerationPrompt: true });
   * const ids = tokenizer.encode(prompt, { addSpecialTokens: false });
   */
  applyChatTemplate(messages: readonly ChatMessage[], options: ChatTemplateOptions = {}): string {
    return this.#chat.render(messages, options);
  }

  /**
   * A conversation to train on: its ids, and labels where the assistant speaks, its end token included.
   *
   * Which part that is comes from places in the text: from `{% generation %}` where the template has it, else from rendering
   * the conversation up to each turn. Turns that the template shortens once others follow (thoughts) are found too.
   *
   * @throws TokenizerError if the part cannot be told, or there is nothing of the assistant
   */
  encodeChat(messages: readonly ChatMessage[], options: ChatOptions = {}): ChatEncoding {
    const { text, spans } = this.#chat.renderTurns(messages, options);
    const { ids } = this.#tokensOf(text);
    const tokens = { ids, offsets: () => this.#tokensOf(text, true).offsets! };
    return maskTokens(text, spans, tokens, (part) => this.#tokensOf(part).ids);
  }

  decode(ids: Iterable<number>, { skipSpecialTokens = true }: { skipSpecialTokens?: boolean } = {}): string {
    const known = listIds(ids).filter((id) => this.idToToken(id) !== null);
    if (known.length === 0) return '';
    return this.#tokenizer.decode(known, {
      skip_special_tokens: skipSpecialTokens,
      clean_up_tokenization_spaces: this.#config.clean_up_tokenization_spaces === true,
    });
  }

  /** The id of a token of the vocabulary, or null. */
  tokenToId(token: string): number | null {
    return this.#tokenizer.token_to_id(token) ?? null;
  }

  /** The token of an id as the vocabulary writes it, or null. */
  idToToken(id: number): string | null {
    return this.#tokenizer.id_to_token(id) ?? null;
  }

  toJson(): Json {
    return this.#json;
  }

  configJson(): Json {
    return this.#config;
  }

  #tokensOf(text: string, withOffsets = false): TextTokens {
    checkText(text);
    const { ids } = this.#tokenizer.encode(text, { add_special_tokens: false });
    if (ids.includes(undefined as never)) {
      throw new TokenizerError(
        'encode: the vocabulary has no token for a part of the text, and tokenizer.json no unk_token',
      );
    }
    if (!withOffsets) return { ids, offsets: null };
    this.#finder ??= new OffsetFinder(this.#tokenizer, this.#json, this.#frame.trimOffsets);
    return { ids, offsets: this.#finder.find(text, ids) };
  }

  #special(name: string): number | null {
    const token = tokenText(this.#config[name]);
    return token === null ? null : this.tokenToId(token);
  }

  #batchDefaults(): BatchDefaults {
    const { padding_side: padding, truncation_side: truncation, model_max_length: longest } = this.#config;
    return {
      padTokenId: this.padTokenId,
      paddingSide: padding === 'left' ? 'left' : 'right',
      truncationSide: truncation === 'left' ? 'left' : 'right',
      maxLength: typeof longest === 'number' && longest <= LARGEST_MAX_LENGTH ? longest : null,
    };
  }
}

/** Tokens that there are: a vocabulary may leave ids out. */
function countTokens(library: Library): number {
  const tokens = new Map<string | undefined, number>(library.get_vocab(true));
  tokens.delete(undefined);
  return tokens.size;
}

async function readConfig(folder: FolderSource): Promise<Json> {
  const optional = async (file: string) =>
    (await hasFile(folder, file)) ? jsonObject(await readJson(folder, file), fileName(folder, file)) : {};
  const config = await optional('tokenizer_config.json');
  for (const [role, token] of Object.entries(await optional('special_tokens_map.json'))) config[role] ??= token; // also for null
  const template = 'chat_template.jinja';
  return (await hasFile(folder, template)) ? { ...config, chat_template: await readText(folder, template) } : config;
}

function jsonObject(value: unknown, path: string): Json {
  if (isObject(value)) return value;
  throw new CheckpointError(`${path}: expected a JSON object`);
}
