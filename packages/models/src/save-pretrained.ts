import {
  type TensorToWrite,
  type WrittenFile,
  writeCheckpoint,
  writeFileAtomic,
  writeFolderAtomic,
} from '@burin/checkpoint';
import { Conv1D, isLinearLike, Linear, type Module, STORED_DTYPES, stateDict, stateTargets } from '@burin/nn';
import { type DType, isFloating, type Tensor } from '@burin/tensor';
import type { TextTokenizer } from '@burin/tokenizers';
import type { RawConfig } from './config-reader.js';
import type { PretrainedModel } from './pretrained-model.js';
import { configOfTies } from './untied-head.js';

/** How a folder is written. */
export interface SaveOptions {
  /** Written as tokenizer.json. */
  tokenizer?: TextTokenizer;
  /** How floating-point weights are written. Left out: as they are stored in memory. */
  dtype?: 'float32' | 'float16' | 'bfloat16';
  /** Weights beyond this go to further files, with an index. */
  maxShardBytes?: number;
  /** Take the place of a folder that is there. Default false. */
  replace?: boolean;
}

/**
 * Writes a folder that transformers reads: config.json, model.safetensors, tokenizer.json, and
 * generation_config.json where the model has one. Whole or not at all.
 *
 * @param folder - its path; the folders above it are made where they are not there
 * @returns the files of weights with their sizes
 * @throws RangeError if a layer is no plain Linear (4-bit, or with an adapter), since its weight would be left out
 * @throws CheckpointError if the folder is there already or cannot be written
 */
export async function savePretrained(
  model: PretrainedModel,
  folder: string,
  { tokenizer, dtype, maxShardBytes, replace = false }: SaveOptions = {},
): Promise<WrittenFile[]> {
  refuseWrapped(model);
  const tensors = tensorsToWrite(model, dtype);
  const config = configToWrite(model, dtype);
  let written: WrittenFile[] = [];
  const fillFolder = async (temporary: string) => {
    await writeJson(`${temporary}/config.json`, config);
    if (model.generationConfig) await writeJson(`${temporary}/generation_config.json`, model.generationConfig);
    if (tokenizer) await writeTokenizer(temporary, tokenizer);
    written = await writeCheckpoint(temporary, tensors, maxShardBytes === undefined ? {} : { maxShardBytes });
  };
  await writeFolderAtomic(folder, fillFolder, { replace });
  return written;
}

function writeJson(path: string, content: RawConfig): Promise<void> {
  return writeFileAtomic(path, `${JSON.stringify(content, null, 2).replace(WHOLE_FLOAT, '$1.0')}\n`);
}

/** Keys whose values transformers 5 takes as floats only: for 1, which is an int in Python, 1.0 must be written. */
const FLOATS = [
  ...['initializer_range', 'initializer_factor', 'initializer_cutoff_factor', 'init_std', 'rms_norm_eps', 'norm_eps'],
  ...['layer_norm_eps', 'layer_norm_epsilon', 'attention_dropout', 'routed_scaling_factor', 'encoder_layerdrop'],
  'decoder_layerdrop',
];
const WHOLE_FLOAT = new RegExp(`^( {2}"(?:${FLOATS.join('|')})": -?\\d+)(?=,?$)`, 'gm');

function refuseWrapped(model: Module): void {
  for (const [name, module] of model.namedModules()) {
    if (!isLinearLike(module) || module instanceof Linear || module instanceof Conv1D) continue;
    throw new RangeError(
      `savePretrained: ${name}: a layer must be a plain Linear: got ${module.constructor.name}; ` +
        `merge adapters and dequantize 4-bit layers first, or save the adapter alone`,
    );
  }
}

/** config.json with the class and the dtype that the weights are written as. */
function configToWrite(model: PretrainedModel, dtype: DType | undefined): RawConfig {
  const { torch_dtype: _older, ...raw } = configOfTies(model, model.rawConfig);
  const stored = dtype ?? model.parameters().find((parameter) => isFloating(parameter.dtype))?.dtype;
  return { ...raw, architectures: [model.architecture], dtype: stored };
}

/** Each is read from the device when its turn comes, so that no more than one is in memory twice. */
function tensorsToWrite(model: PretrainedModel, dtype: DType | undefined): TensorToWrite[] {
  const state = model.hasTensorsApart ? stateTargets(model) : stateDict(model);
  return [...state].map(([name, tensor]) => {
    const stored = dtype && isFloating(tensor.dtype) ? dtype : tensor.dtype;
    return { name, dtype: STORED_DTYPES[stored], shape: tensor.shape, data: () => bytesOf(tensor, stored) };
  });
}

function bytesOf(tensor: Tensor, dtype: DType): Promise<Uint8Array> {
  const view = tensor.detach();
  const converted = view.to(dtype);
  const reading = converted.bytes(); // enqueued: what it reads may be freed now
  converted.dispose();
  view.dispose();
  return reading;
}

async function writeTokenizer(folder: string, tokenizer: TextTokenizer): Promise<void> {
  await writeFileAtomic(`${folder}/tokenizer.json`, JSON.stringify(tokenizer.toJson()));
  const config = tokenizer.configJson?.();
  if (config) await writeFileAtomic(`${folder}/tokenizer_config.json`, JSON.stringify(config, null, 2));
}
