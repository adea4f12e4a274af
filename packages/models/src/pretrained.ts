import type { SafetensorsDtype, SafetensorsFile, WrittenFile } from '@burin/checkpoint';
import {
  openCheckpoint,
  readJsonFile,
  type TensorToWrite,
  writeCheckpoint,
  writeFileAtomic,
  writeFolderAtomic,
} from '@burin/checkpoint';
import { Module } from '@burin/nn';
import { type DType, fromBytes, ShapeError, scope, type Tensor } from '@burin/tensor';
import { ConfigError, ConfigReader, type RawConfig } from './config-reader.js';
import type { TextTokenizer } from './tokenizer.js';
import { blankWeights, type Weights } from './weights.js';

/** A model that a Hugging Face folder can hold. */
export abstract class PretrainedModel extends Module {
  /** The name in config.json's `architectures`. */
  abstract readonly architecture: string;
  /** config.json as it is written. */
  abstract get rawConfig(): RawConfig;
}

/** How a class of models is made from config.json. */
export interface Architecture<M extends PretrainedModel> {
  readonly architecture: string;
  fromConfig(raw: RawConfig, weights: Weights, where?: string): M;
}

export interface LoadOptions {
  /** How weights are stored. Left out: float32, whatever the file has. */
  dtype?: 'float32' | 'float16' | 'bfloat16';
  /** Names to leave as they are if the file lacks them, such as a new classification head. */
  allowMissing?: RegExp;
  /** Names in the file to pass over, such as the language-model head of a model that gets another. */
  allowUnexpected?: RegExp;
}

const DTYPES: Partial<Record<SafetensorsDtype, DType>> = {
  F32: 'float32',
  F16: 'float16',
  BF16: 'bfloat16',
  I32: 'int32',
  U8: 'uint8',
};

const STORED: Readonly<Record<DType, SafetensorsDtype>> = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int32: 'I32',
  uint8: 'U8',
};

/**
 * Loads a Hugging Face folder as one of `architectures`: config.json decides which. Tensors are read one by one.
 *
 * @throws ConfigError if config.json names another architecture, or an option that is not supported
 * @throws CheckpointError if a file is damaged; RangeError if names are missing or left over; ShapeError if a shape differs
 */
export async function loadPretrained<M extends PretrainedModel>(
  folder: string,
  architectures: readonly Architecture<M>[],
  options: LoadOptions = {},
): Promise<M> {
  const where = `${folder}/config.json`;
  const config = new ConfigReader(await readJsonFile(where), where);
  const model = chooseArchitecture(config, architectures).fromConfig(
    config.raw,
    blankWeights(options.dtype ?? 'float32'),
    where,
  );
  const checkpoint = await openCheckpoint(folder);
  try {
    await fill(model, checkpoint, folder, options);
  } catch (error) {
    model.dispose();
    throw error;
  } finally {
    await checkpoint.close();
  }
  return model.eval();
}

function chooseArchitecture<M extends PretrainedModel>(
  config: ConfigReader,
  architectures: readonly Architecture<M>[],
): Architecture<M> {
  const names = config.raw['architectures'];
  const name = Array.isArray(names) ? names[0] : undefined;
  const found = architectures.find(({ architecture }) => architecture === name);
  if (found) return found;
  throw new ConfigError(
    `${config.where}: architecture ${JSON.stringify(name) ?? 'of no name'} is not known here; known: ${architectures
      .map(({ architecture }) => architecture)
      .join(', ')}`,
  );
}

async function fill(model: Module, checkpoint: SafetensorsFile, folder: string, options: LoadOptions): Promise<void> {
  const own = new Map<string, Tensor>([...model.namedParameters({ duplicates: true }), ...model.namedBuffers()]);
  checkNames(own, [...checkpoint.tensors.keys()], folder, options);
  for (const [name, info] of checkpoint.tensors) {
    const target = own.get(name);
    if (!target) continue;
    if (`${target.shape}` !== `${info.shape}`) {
      throw new ShapeError(`${folder}: ${name}: expected [${target.shape}], got [${info.shape}]`);
    }
    const dtype = DTYPES[info.dtype];
    if (!dtype)
      throw new ConfigError(
        `${folder}: ${name}: ${info.dtype} is not supported; supported: ${Object.keys(DTYPES).join(', ')}`,
      );
    const bytes = await checkpoint.read(name);
    scope(() => target.copy_(fromBytes(bytes, info.shape, dtype)));
  }
}

/** Missing: no name of a tensor is there (a tied one has several). Left over: no tensor has the name. */
function checkNames(
  own: ReadonlyMap<string, Tensor>,
  given: readonly string[],
  folder: string,
  options: LoadOptions,
): void {
  const filled = new Set(given.map((name) => own.get(name)));
  const missing = new Map<Tensor, string>();
  for (const [name, tensor] of own) {
    if (!filled.has(tensor) && !missing.has(tensor) && !options.allowMissing?.test(name)) missing.set(tensor, name);
  }
  const unexpected = given.filter((name) => !own.has(name) && !options.allowUnexpected?.test(name));
  if (missing.size + unexpected.length === 0) return;
  throw new RangeError(
    `${folder}: the weights do not fit the model: missing ${list([...missing.values()])}; unexpected ${list(unexpected)}`,
  );
}

function list(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  return names.slice(0, 8).join(', ') + (names.length > 8 ? ` and ${names.length - 8} more` : '');
}

export interface SaveOptions {
  tokenizer?: TextTokenizer;
  /** How floating-point weights are written. Left out: as they are stored. */
  dtype?: 'float32' | 'float16' | 'bfloat16';
  maxShardBytes?: number;
  /** Take the place of a folder that is there. Default false. */
  replace?: boolean;
}

/**
 * Writes a folder that transformers reads: config.json, model.safetensors, tokenizer.json. Whole or not at all.
 *
 * @returns the files of weights with their sizes
 */
export async function savePretrained(
  model: PretrainedModel,
  folder: string,
  { tokenizer, dtype, maxShardBytes, replace = false }: SaveOptions = {},
): Promise<WrittenFile[]> {
  const tensors = await tensorsToWrite(model, dtype);
  const config = { ...model.rawConfig, architectures: [model.architecture], ...(dtype ? { dtype } : {}) };
  let written: WrittenFile[] = [];
  const fillFolder = async (temporary: string) => {
    await writeFileAtomic(`${temporary}/config.json`, `${JSON.stringify(config, null, 2)}\n`);
    if (tokenizer) await writeTokenizer(temporary, tokenizer);
    written = await writeCheckpoint(temporary, tensors, maxShardBytes === undefined ? {} : { maxShardBytes });
  };
  await writeFolderAtomic(folder, fillFolder, { replace });
  return written;
}

async function tensorsToWrite(model: Module, dtype: DType | undefined): Promise<TensorToWrite[]> {
  const tensors: TensorToWrite[] = [];
  for (const [name, tensor] of [...model.namedParameters(), ...model.namedBuffers()]) {
    const floating = tensor.dtype !== 'int32' && tensor.dtype !== 'uint8';
    const stored = dtype && floating ? dtype : tensor.dtype;
    const view = tensor.detach();
    const converted = view.to(stored);
    const reading = converted.bytes(); // enqueued: what it reads may be freed now
    converted.dispose();
    view.dispose();
    tensors.push({ name, dtype: STORED[stored], shape: tensor.shape, data: await reading });
  }
  return tensors;
}

async function writeTokenizer(folder: string, tokenizer: TextTokenizer): Promise<void> {
  await writeFileAtomic(`${folder}/tokenizer.json`, JSON.stringify(tokenizer.toJson()));
  const config = tokenizer.configJson?.();
  if (config) await writeFileAtomic(`${folder}/tokenizer_config.json`, JSON.stringify(config, null, 2));
}
