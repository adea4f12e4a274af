import {
  type FolderSource,
  fileName,
  hasFile,
  openCheckpoint,
  readJson,
  type SafetensorsFile,
} from '@burin/checkpoint';
import { hubFolder } from '@burin/hub';
import { checkOptions, type Generator } from '@burin/tensor';
import { ConfigError, ConfigReader } from './config-reader.js';
import { type FillOptions, fillWeights } from './fill-weights.js';
import { tokenIds } from './head-config.js';
import type { Architecture, PretrainedModel } from './pretrained-model.js';
import { blankWeights } from './weights.js';

/** How a folder is loaded. */
export interface LoadOptions extends FillOptions {
  /** Of a model of the hub: a branch, a tag or a commit. Default `main`. */
  revision?: string;
  /** How weights are stored in memory. Default float32, whatever the file has. */
  dtype?: 'float32' | 'float16' | 'bfloat16';
  /** Draws dropout in training. Left out: nothing is dropped, whatever config.json says. */
  rng?: Generator;
}

/**
 * Loads a Hugging Face folder as one of `architectures`: config.json decides which. Tensors are read one by one, in
 * pieces, and take memory when their turn comes; with `convert` a layer is replaced before its weight takes any. The
 * model is in evaluation mode.
 *
 * @param nameOrFolder - a folder that holds config.json and model.safetensors, or shards with their index;
 *   generation_config.json's `eos_token_id` goes before config.json's. Else the name of a model of the hub, fetched by
 *   `hubFolder` of `@burin/hub`. In a browser: the folder's files by name, as `blobSource` and `bytesSource` of
 *   `@burin/checkpoint` make them of what a person picked or the page fetched
 * @throws HubError if a name of the hub stands for nothing that can be had
 * @throws ConfigError if config.json names another architecture or an option that is not supported
 * @throws CheckpointError if a file is damaged or not there, or has two matrices for what config.json makes one
 * @throws RangeError if names are missing or left over; ShapeError if a shape differs. Each message names the file.
 */
export async function loadPretrained<M extends PretrainedModel>(
  nameOrFolder: FolderSource,
  architectures: readonly Architecture<M>[],
  options: LoadOptions = {},
): Promise<M> {
  checkOptions('fromPretrained', options, OPTIONS);
  const folder = typeof nameOrFolder === 'string' ? await hubFolder(nameOrFolder, hubOptions(options)) : nameOrFolder;
  const where = fileName(folder, 'config.json');
  const config = new ConfigReader(await readJson(folder, 'config.json'), where);
  const architecture = chooseArchitecture(config, architectures);
  const generation = await readGenerationConfig(folder);
  const raw = generation?.has('eos_token_id')
    ? { ...config.raw, eos_token_id: tokenIds(generation, 'eos_token_id') } // transformers prefers it too
    : config.raw;
  const needed = architecture.weightCount(raw, where);
  const checkpoint = await openCheckpoint(folder);
  try {
    refuseOversize(needed, checkpoint, where);
    const amended = architecture.amendConfig?.(raw, checkpoint.tensors) ?? raw;
    const model = architecture.fromConfig(
      amended,
      blankWeights(options.dtype ?? 'float32'),
      where,
      options.rng ?? null,
    );
    try {
      await fillWeights(model, checkpoint, architecture, options);
    } catch (error) {
      model.dispose();
      throw error;
    }
    model.generationConfig = generation?.raw ?? null;
    return model.eval();
  } finally {
    await checkpoint.close();
  }
}

/** Which one config.json names. @throws ConfigError that lists those that are known */
export function chooseArchitecture<M extends PretrainedModel>(
  config: ConfigReader,
  architectures: readonly Architecture<M>[],
): Architecture<M> {
  const names = config.raw.architectures;
  const name: unknown = Array.isArray(names) ? names[0] : undefined;
  const found = architectures.find(({ architecture }) => architecture === name);
  if (found) return found;
  const got = typeof name === 'string' ? `'${name.slice(0, 80)}'` : 'none';
  const known = architectures.map(({ architecture }) => architecture).join(', ');
  throw new ConfigError(`${config.where}: architectures must name a model known here: expected ${known}, got ${got}`);
}

const OPTIONS: readonly (keyof LoadOptions)[] = [
  ...(['revision', 'dtype', 'rng', 'convert', 'allowMissing', 'allowUnexpected'] as const),
];

function hubOptions({ revision }: LoadOptions) {
  return revision === undefined ? {} : { revision };
}

async function readGenerationConfig(folder: FolderSource): Promise<ConfigReader | null> {
  const file = 'generation_config.json';
  if (!(await hasFile(folder, file))) return null;
  return new ConfigReader(await readJson(folder, file), fileName(folder, file));
}

/**
 * A config that asks for far more than the file holds is wrong, and taking the memory first could fail in worse ways.
 * Smaller differences are left to the comparison of names and shapes, which says which tensor it is.
 */
function refuseOversize(needed: number, checkpoint: SafetensorsFile, where: string): void {
  const held = [...checkpoint.tensors.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  if (needed <= 4 * held + 2 ** 20) return;
  throw new ConfigError(
    `${where}: the sizes must be those of the weights: expected about ${held} numbers, as ${checkpoint.name} holds, ` +
      `got sizes that need ${needed}`,
  );
}

function sizeOf(shape: readonly number[]): number {
  return shape.reduce((product, length) => product * length, 1);
}
