import {
  type ByteSource,
  CheckpointError,
  fileSource,
  openSafetensors,
  type SafetensorsFile,
  toFloat32,
} from '@burin/checkpoint';
import type { Module } from '@burin/nn';
import { checkOptions, type Generator, type Shape, type Tensor, tensor } from '@burin/tensor';
import { readConfig } from './adapter-config.js';
import { CONFIG_FILE, WEIGHTS_FILE } from './adapter-files.js';
import { adapterState, expectedShapes } from './adapter-state.js';
import { DEFAULT_ADAPTER } from './apply.js';
import { LoraModel } from './lora-model.js';
import type { LoraConfig } from './options.js';
import { planAdapter } from './plan.js';

/** What a loaded adapter is called, and whether it is active and trained. */
export interface LoadAdapterOptions {
  /** Default `'default'`. */
  adapterName?: string;
  /** Whether it is trained. Default false. */
  trainable?: boolean;
  /** Whether it takes part in the forward pass. Default: if it is the model's first. */
  active?: boolean;
  /** Draws its dropout, where it has some and is to be trained. */
  rng?: Generator;
}

/**
 * Loads an adapter in PEFT's format onto a model, frozen. Keys and shapes must be those that the model and the
 * configuration ask for; until that is known the model is not touched.
 *
 * @param model - a model, or one that has adapters already
 * @param folder - a path, in Node; or, anywhere, the folder's files by name, such as those that a person picked
 * @returns the handle, a new one unless one was given
 * @throws CheckpointError naming missing and extra keys, the key and both shapes of one that does not fit, or an option of
 *   the file that would change numbers and is not supported; RangeError for an argument that does not exist
 */
export async function loadAdapter<M extends Module>(
  model: M | LoraModel<M>,
  folder: string | ReadonlyMap<string, ByteSource>,
  options: LoadAdapterOptions = {},
): Promise<LoraModel<M>> {
  checkOptions('loadAdapter', options, ['adapterName', 'trainable', 'active', 'rng']);
  const { adapterName = DEFAULT_ADAPTER, trainable = false, rng = null } = options;
  const root = model instanceof LoraModel ? model.model : model;
  const config = await readAdapterConfig(folder);
  if (trainable && config.dropout > 0 && rng === null) {
    throw new RangeError('loadAdapter: an adapter with dropout needs random numbers to be trained; pass rng');
  }
  const plan = planAdapter('loadAdapter', root, config, false);
  const file = await openSafetensors(await openFile(folder, WEIGHTS_FILE));
  try {
    checkKeys(file, expectedShapes(config, plan));
    const values = await readValues(file);
    const lora = model instanceof LoraModel ? model : new LoraModel(model);
    const { active = lora.adapters.length === 0 } = options;
    lora.attach(adapterName, config, plan, { active, trainable, rng });
    copyValues(adapterState(lora, adapterName), values);
    return lora;
  } finally {
    await file.close();
  }
}

async function readAdapterConfig(folder: string | ReadonlyMap<string, ByteSource>): Promise<LoraConfig> {
  const source = await openFile(folder, CONFIG_FILE);
  try {
    const text = new TextDecoder().decode(await source.read(0, source.size));
    return readConfig(source.name, parse(source.name, text));
  } finally {
    await source.close?.();
  }
}

function parse(where: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new CheckpointError(`${where}: it must be JSON: ${(cause as Error).message}`, { cause });
  }
}

async function openFile(folder: string | ReadonlyMap<string, ByteSource>, name: string): Promise<ByteSource> {
  if (typeof folder === 'string') return fileSource(`${folder}/${name}`);
  const source = folder.get(name);
  if (source) return source;
  throw new CheckpointError(
    `loadAdapter: ${name} must be among the files, got ${[...folder.keys()].join(', ') || 'none'}`,
  );
}

/** Strict: every key that is expected and no other, each with its shape, of floats. */
function checkKeys({ name, tensors }: SafetensorsFile, expected: ReadonlyMap<string, Shape>): void {
  const missing = [...expected.keys()].filter((key) => !tensors.has(key));
  const extra = [...tensors.keys()].filter((key) => !expected.has(key));
  if (missing.length + extra.length > 0) {
    throw new CheckpointError(
      `${name}: keys must be those of the model: missing ${list(missing)}; extra ${list(extra)}`,
    );
  }
  for (const [key, { shape, dtype }] of tensors) {
    const wanted = expected.get(key)!;
    if (`${wanted}` !== `${shape}`) throw new CheckpointError(`${name}: ${key}: expected [${wanted}], got [${shape}]`);
    if (dtype === 'F32' || dtype === 'F16' || dtype === 'BF16') continue;
    throw new CheckpointError(`${name}: ${key}: expected F32, F16 or BF16, got ${dtype}`);
  }
}

async function readValues(file: SafetensorsFile): Promise<Map<string, Float32Array>> {
  const values = new Map<string, Float32Array>();
  for (const [key, { dtype }] of file.tensors) {
    values.set(key, toFloat32(await file.read(key), dtype as 'F32' | 'F16' | 'BF16'));
  }
  return values;
}

function copyValues(state: ReadonlyMap<string, Tensor>, values: ReadonlyMap<string, Float32Array>): void {
  for (const [key, target] of state) {
    const source = tensor(values.get(key)!, target.shape, { device: target.device });
    target.copy_(source);
    source.dispose();
  }
}

function list(keys: readonly string[]): string {
  if (keys.length === 0) return 'none';
  return keys.slice(0, 5).join(', ') + (keys.length > 5 ? ` and ${keys.length - 5} more` : '');
}
