import { CheckpointError, writeSafetensors } from '@burin/checkpoint';
import { type StoredTensor, storedTensors } from '@burin/nn';
import type { Tensor } from '@burin/tensor';
import { writeConfig } from './adapter-config.js';
import { adapterState } from './adapter-state.js';
import type { LoraModel } from './lora-model.js';
import { matchesName } from './match.js';
import { adaptableModules } from './plan.js';

export const WEIGHTS_FILE = 'adapter_model.safetensors';
export const CONFIG_FILE = 'adapter_config.json';
export const METADATA = { format: 'pt' };

/** Which adapter is saved, and how. */
export interface AdapterFilesOptions {
  /** Which one; may be left out where there is one only. */
  adapterName?: string;
  /** Written as `base_model_name_or_path`: PEFT loads the base from there. Default null. */
  baseModelNameOrPath?: string | null;
  /** Save an adapter that does nothing, too. Default false. */
  force?: boolean;
}

/** Bytes that a `Blob` takes, in the words of every version of TypeScript. */
type OwnBytes = ReturnType<typeof writeSafetensors>;

/** What the two files of an adapter hold. */
export interface AdapterContent {
  readonly state: ReadonlyMap<string, Tensor>;
  readonly tensors: readonly StoredTensor[];
  readonly config: string;
}

/**
 * One adapter in PEFT's format, in memory: the files that `saveAdapter` writes, by name. For where there are no folders: a
 * page offers them as downloads, stores or sends them.
 *
 * @returns `adapter_model.safetensors` and `adapter_config.json`; `loadAdapter` takes them back through `bytesSource` of
 *   `@burin/checkpoint`
 * @throws CheckpointError if the adapter has no tensors or a B of zeros (unless `force`); RangeError if no adapter has the
 *   name
 * @see https://huggingface.co/docs/peft/developer_guides/checkpoint
 * @example
 * for (const [name, bytes] of await adapterFiles(lora)) {
 *   const link = document.createElement('a');
 *   Object.assign(link, { href: URL.createObjectURL(new Blob([bytes])), download: name }).click();
 * }
 */
export async function adapterFiles(lora: LoraModel, options: AdapterFilesOptions = {}): Promise<Map<string, OwnBytes>> {
  const { tensors, config } = await adapterContent('adapterFiles', lora, options);
  const held = await Promise.all(tensors.map(async (tensor) => ({ ...tensor, data: await tensor.data() })));
  return new Map([
    [WEIGHTS_FILE, writeSafetensors(held, METADATA)],
    [CONFIG_FILE, new TextEncoder().encode(config)],
  ]);
}

/** @throws as `adapterFiles`, with `who` in its place */
export async function adapterContent(
  who: string,
  lora: LoraModel,
  { adapterName, baseModelNameOrPath = null, force = false }: AdapterFilesOptions,
): Promise<AdapterContent> {
  const name = chosenAdapter(who, lora, adapterName);
  const state = adapterState(lora, name);
  if (!force) await refuseUseless(who, lora, name, state);
  const targets = targetNames(lora, name);
  const fanInFanOut = storesTransposed(lora, name);
  const fields = writeConfig(lora.configs.get(name)!, { targets, fanInFanOut, baseModelNameOrPath });
  return { state, tensors: storedTensors(state), config: JSON.stringify(fields, null, 2) };
}

function chosenAdapter(who: string, lora: LoraModel, wanted: string | undefined): string {
  const { adapters } = lora;
  const there = `there is ${adapters.join(', ') || 'none'}`;
  if (wanted === undefined && adapters.length !== 1) {
    throw new RangeError(`${who}: say which adapter with adapterName: ${there}`);
  }
  const name = wanted ?? adapters[0]!;
  if (adapters.includes(name)) return name;
  throw new RangeError(`${who}: there is no adapter '${name}': ${there}`);
}

async function refuseUseless(
  who: string,
  lora: LoraModel,
  name: string,
  state: ReadonlyMap<string, Tensor>,
): Promise<void> {
  const remedy = 'train it first, or pass { force: true }';
  const untrained = await lora.untrainedLayers(name);
  if (state.size === 0) throw new CheckpointError(`${who}: '${name}' must have tensors, got none; ${remedy}`);
  if (untrained.length === 0) return;
  const shown = untrained.slice(0, 3).join(', ') + (untrained.length > 3 ? ', ...' : '');
  throw new CheckpointError(
    `${who}: every lora_B of '${name}' must have been trained: ${untrained.length} of ` +
      `${lora.reports.get(name)!.layers.length} are all zeros (${shown}), so they change nothing; ${remedy}`,
  );
}

/** The last parts of the layers' names where those mean no other module, else the whole names. */
function targetNames(lora: LoraModel, name: string): string[] {
  const layers = lora.reports.get(name)!.layers.map((layer) => layer.name);
  const ends = [...new Set(layers.map((layer) => layer.slice(layer.lastIndexOf('.') + 1)))];
  const others = [...adaptableModules(lora.model)].map(([path]) => path).filter((path) => !layers.includes(path));
  const isClear = !others.some((path) => ends.some((end) => matchesName(end, path)));
  return isClear ? ends : layers;
}

/** Whether layers of the base store their weight as `[in, out]`, as those of a GPT-2 do. */
function storesTransposed(lora: LoraModel, name: string): boolean {
  return [...lora.layers()].some(([, layer]) => layer.lora_A.has(name) && layer.originalLayer.storesTransposed);
}
