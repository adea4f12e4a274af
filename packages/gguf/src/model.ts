import { exists, readJsonFile, readTextFile } from '@burin/checkpoint';
import { architectureOf, type GgufArchitecture } from './architectures.js';
import { encode } from './encode.js';
import { encodeTensor } from './encode-tensor.js';
import { GgufError } from './errors.js';
import { type Metadata, string, uint32 } from './metadata.js';
import { type GgufType, TYPES } from './tensor-type.js';
import { type TokenizerFiles, tokenizerMetadata } from './tokenizer.js';
import { type ExportableModel, folderSource, HEAD, modelSource, type WeightSource } from './weight-source.js';
import { type GgufFile, type GgufTensor, writeGguf } from './write-gguf.js';

/** A tokenizer that knows its files, as those of `@burin/tokenizers` do. */
export interface ExportableTokenizer {
  toJson(): unknown;
  configJson?(): unknown;
}

/** How a model is written. */
export interface GgufOptions {
  /** How matrices are stored; vectors stay F32. Default F16. */
  type?: GgufType;
  /** `general.name`: what programs call the model. */
  name?: string;
  /** llama.cpp's name of how the tokenizer cuts text, where it does not follow from tokenizer.json. */
  preTokenizer?: string;
}

/**
 * Writes a model as a GGUF file that llama.cpp reads: Llama, Mistral, Qwen2, Qwen3, Gemma, Phi-3, GPT-NeoX and GPT-2.
 * Tensors are read, converted and written one after another.
 *
 * @param model - a Hugging Face folder, with tokenizer.json if it has text; or a model in memory, adapters merged and 4-bit
 *   layers dequantized
 * @param path - the file, such as `model-f16.gguf`; one that is there is replaced
 * @param options.tokenizer - of a model in memory; left out or null: the file has no vocabulary
 * @returns what was written: each tensor with its shape and type
 * @throws GgufError for an architecture, an option or a tokenizer that llama.cpp has none for, and for a tensor that has no
 *   place in the file
 * @example
 * await saveGguf('models/stories260k', 'stories260k-q8_0.gguf', { type: 'Q8_0' });
 */
export async function saveGguf(
  model: string | ExportableModel,
  path: string,
  options: GgufOptions & { tokenizer?: ExportableTokenizer | null } = {},
): Promise<GgufFile> {
  const source = typeof model === 'string' ? await folderSource(model) : modelSource(model);
  try {
    const tokenizer = await tokenizerFiles(model, options.tokenizer);
    return await write(source, path, tokenizer, options);
  } finally {
    await source.close();
  }
}

async function write(source: WeightSource, path: string, tokenizer: TokenizerFiles, options: GgufOptions) {
  const { type = 'F16', name, preTokenizer } = options;
  if (!Object.hasOwn(TYPES, type)) {
    throw new GgufError(`saveGguf: type must be one of ${Object.keys(TYPES).join(', ')}, got ${String(type)}`);
  }
  const { config } = source;
  const architecture = architectureOf(config);
  const metadata: Metadata = new Map([
    ['general.architecture', string(architecture.name)],
    ['general.type', string('model')],
    ...(name === undefined ? [] : [['general.name', string(name)] as const]),
    ['general.quantization_version', uint32(2)],
    ['general.file_type', uint32(TYPES[type].fileType)],
    ...architecture.metadata(config),
    ...tokenizerMetadata(tokenizer, config, preTokenizer),
  ]);
  return writeGguf(path, metadata, [
    ...derivedTensors(architecture, source),
    ...placedTensors(architecture, source, type),
  ]);
}

function derivedTensors(architecture: GgufArchitecture, { config }: WeightSource): GgufTensor[] {
  return (architecture.derived?.(config) ?? []).map(({ name, values }) => ({
    name,
    shape: [values.length],
    type: 'F32',
    async *pieces() {
      yield encode(values, 'F32');
    },
  }));
}

/** In the order of the source, a head last: of a tied matrix under two names, that of the embeddings is taken. */
function placedTensors(architecture: GgufArchitecture, source: WeightSource, type: GgufType): GgufTensor[] {
  const placed = new Map<string, GgufTensor>();
  const isHead = (stored: string) => stored === HEAD;
  for (const stored of [...source.shapes.keys()].sort((a, b) => Number(isHead(a)) - Number(isHead(b)))) {
    const placement = architecture.place(stored, source.config);
    if (placement && !placed.has(placement.name)) {
      placed.set(placement.name, encodeTensor(source, stored, placement, type));
    } else if (placement === undefined && !stored.endsWith('rotary_emb.inv_freq')) {
      throw new GgufError(
        `${source.name}: ${stored}: it has no place in a GGUF file of ${architecture.name}; merge adapters and ` +
          'dequantize 4-bit layers first',
      );
    }
  }
  return [...placed.values()];
}

async function tokenizerFiles(
  model: string | ExportableModel,
  tokenizer: ExportableTokenizer | null | undefined,
): Promise<TokenizerFiles> {
  if (tokenizer) return { tokenizer: tokenizer.toJson(), config: tokenizer.configJson?.(), where: 'tokenizer' };
  const where = `${String(model)}/tokenizer.json`;
  if (tokenizer === null || typeof model !== 'string' || !(await exists(where))) return { tokenizer: null, where };
  return { tokenizer: await readJsonFile(where), config: await folderConfig(model), where };
}

/** tokenizer_config.json; newer folders have the chat template beside it. */
async function folderConfig(folder: string): Promise<object> {
  const config = `${folder}/tokenizer_config.json`;
  const template = `${folder}/chat_template.jinja`;
  return {
    ...((await exists(config)) ? ((await readJsonFile(config)) as object) : {}),
    ...((await exists(template)) ? { chat_template: await readTextFile(template) } : {}),
  };
}
