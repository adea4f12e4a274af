import {
  CheckpointError,
  type SafetensorsDtype,
  type TensorToWrite,
  writeFileAtomic,
  writeFolderAtomic,
  writeSafetensorsFile,
} from '@burin/checkpoint';
import type { DType, Shape, Tensor } from '@burin/tensor';
import { writeConfig } from './adapter-config.js';
import { adapterState } from './adapter-state.js';
import type { LoraModel } from './lora-model.js';
import { matchesName } from './match.js';
import { adaptableModules } from './plan.js';

export const WEIGHTS_FILE = 'adapter_model.safetensors';
export const CONFIG_FILE = 'adapter_config.json';

/** Which adapter is saved, and how. */
export interface SaveAdapterOptions {
  /** Which one; may be left out where there is one only. */
  adapterName?: string;
  /** Written as `base_model_name_or_path`: PEFT loads the base from there. Default null. */
  baseModelNameOrPath?: string | null;
  /** Save an adapter that does nothing, too. Default false. */
  force?: boolean;
  /** Take the place of a folder that is there already. Default false: that is an error. */
  replace?: boolean;
}

/** What was written. */
export interface SaveReport {
  readonly folder: string;
  readonly files: readonly { readonly name: string; readonly byteLength: number }[];
  readonly tensors: readonly { readonly name: string; readonly shape: Shape; readonly byteLength: number }[];
  /** A line for each file and tensor, with sizes. */
  readonly text: string;
}

const STORED_AS: Readonly<Record<DType, SafetensorsDtype>> = {
  float32: 'F32',
  float16: 'F16',
  bfloat16: 'BF16',
  int32: 'I32',
  uint8: 'U8',
};

/**
 * Saves one adapter as PEFT does: `adapter_model.safetensors` and `adapter_config.json`, in a folder that is written whole
 * or not at all. Node only.
 *
 * @param folder - its path; the folders above it are made where they are not there
 * @returns every file and tensor, with sizes
 * @throws CheckpointError if the adapter has no tensors or a B of zeros (unless `force`), or the folder is there already
 *   (unless `replace`); RangeError if no adapter has the name
 * @see https://huggingface.co/docs/peft/developer_guides/checkpoint
 */
export async function saveAdapter(
  lora: LoraModel,
  folder: string,
  options: SaveAdapterOptions = {},
): Promise<SaveReport> {
  const { baseModelNameOrPath = null, force = false, replace = false } = options;
  const name = chosenAdapter(lora, options.adapterName);
  const state = adapterState(lora, name);
  if (!force) await refuseUseless(lora, name, state);
  const targets = targetNames(lora, name);
  const fields = writeConfig(lora.configs.get(name)!, {
    targets,
    fanInFanOut: storesTransposed(lora, name),
    baseModelNameOrPath,
  });
  const config = JSON.stringify(fields, null, 2);
  let weightBytes = 0;
  await writeFolderAtomic(
    folder,
    async (temporary) => {
      const weights = `${temporary}/${WEIGHTS_FILE}`;
      weightBytes = (await writeSafetensorsFile(weights, toWrite(state), { format: 'pt' })).byteLength;
      await writeFileAtomic(`${temporary}/${CONFIG_FILE}`, config);
    },
    { replace },
  );
  const files = [
    { name: WEIGHTS_FILE, byteLength: weightBytes },
    { name: CONFIG_FILE, byteLength: new TextEncoder().encode(config).length },
  ];
  return describeSave(folder, files, state);
}

function chosenAdapter(lora: LoraModel, wanted: string | undefined): string {
  const { adapters } = lora;
  const there = `there is ${adapters.join(', ') || 'none'}`;
  if (wanted === undefined && adapters.length !== 1) {
    throw new RangeError(`saveAdapter: say which adapter with adapterName: ${there}`);
  }
  const name = wanted ?? adapters[0]!;
  if (adapters.includes(name)) return name;
  throw new RangeError(`saveAdapter: there is no adapter '${name}': ${there}`);
}

async function refuseUseless(lora: LoraModel, name: string, state: ReadonlyMap<string, Tensor>): Promise<void> {
  const remedy = 'train it first, or pass { force: true }';
  const untrained = await lora.untrainedLayers(name);
  if (state.size === 0) throw new CheckpointError(`saveAdapter: '${name}' must have tensors, got none; ${remedy}`);
  if (untrained.length === 0) return;
  const shown = untrained.slice(0, 3).join(', ') + (untrained.length > 3 ? ', ...' : '');
  throw new CheckpointError(
    `saveAdapter: every lora_B of '${name}' must have been trained: ${untrained.length} of ` +
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

function toWrite(state: ReadonlyMap<string, Tensor>): TensorToWrite[] {
  return [...state].map(([name, tensor]) => {
    return { name, dtype: STORED_AS[tensor.dtype], shape: tensor.shape, data: () => tensor.bytes() };
  });
}

function describeSave(folder: string, files: SaveReport['files'], state: ReadonlyMap<string, Tensor>): SaveReport {
  const tensors = [...state].map(([name, { shape, byteLength }]) => ({ name, shape, byteLength }));
  const lines = [
    ...files.map(({ name, byteLength }) => `${folder}/${name}: ${byteLength} bytes`),
    ...tensors.map(({ name, shape, byteLength }) => `  ${name} [${shape}]: ${byteLength} bytes`),
  ];
  return { folder, files, tensors, text: lines.join('\n') };
}
