import { writeFileAtomic, writeFolderAtomic, writeSafetensorsFile } from '@burin/checkpoint';
import type { Shape, Tensor } from '@burin/tensor';
import { type AdapterFilesOptions, adapterContent, CONFIG_FILE, METADATA, WEIGHTS_FILE } from './adapter-files.js';
import type { LoraModel } from './lora-model.js';

/** Which adapter is saved, and how. */
export interface SaveAdapterOptions extends AdapterFilesOptions {
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

/**
 * Saves one adapter as PEFT does: `adapter_model.safetensors` and `adapter_config.json`, in a folder that is written whole
 * or not at all. Node only; elsewhere, `adapterFiles`.
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
  const { replace = false } = options;
  const { state, tensors, config } = await adapterContent('saveAdapter', lora, options);
  let weightBytes = 0;
  await writeFolderAtomic(
    folder,
    async (temporary) => {
      const weights = `${temporary}/${WEIGHTS_FILE}`;
      weightBytes = (await writeSafetensorsFile(weights, tensors, METADATA)).byteLength;
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

function describeSave(folder: string, files: SaveReport['files'], state: ReadonlyMap<string, Tensor>): SaveReport {
  const tensors = [...state].map(([name, { shape, byteLength }]) => ({ name, shape, byteLength }));
  const lines = [
    ...files.map(({ name, byteLength }) => `${folder}/${name}: ${byteLength} bytes`),
    ...tensors.map(({ name, shape, byteLength }) => `  ${name} [${shape}]: ${byteLength} bytes`),
  ];
  return { folder, files, tensors, text: lines.join('\n') };
}
