import { openCheckpoint, readJsonFile, type SafetensorsFile, toFloat32 } from '@burin/checkpoint';
import { type Module, STORED_DTYPES, stateDict } from '@burin/nn';
import { BYTES, type DType } from '@burin/tensor';
import { ConfigValues, type RawConfig } from './config.js';
import { GgufError } from './errors.js';

/** The head of every model that may have it tied. */
export const HEAD = 'lm_head.weight';

/** What is known of a model without its weights. */
export interface ConfiguredModel {
  /** config.json as it is written. */
  readonly rawConfig: RawConfig;
  /** The name in config.json's `architectures`. */
  readonly architecture: string;
}

/** A model in memory, as `@burin/models` has them. */
export type ExportableModel = Module & ConfiguredModel;

/** Where weights come from, one part of one at a time. */
export interface WeightSource {
  /** For messages. */
  readonly name: string;
  readonly config: ConfigValues;
  /** Shapes by checkpoint name; tied weights once. */
  readonly shapes: ReadonlyMap<string, readonly number[]>;
  /** Elements `start .. start + count` of a tensor, as float32. */
  read(name: string, start: number, count: number): Promise<Float32Array>;
  close(): Promise<void>;
}

/** The weights of a Hugging Face folder. */
export async function folderSource(folder: string): Promise<WeightSource> {
  const config = new ConfigValues(await readJsonFile(`${folder}/config.json`), `${folder}/config.json`);
  return { ...checkpointSource(await openCheckpoint(folder)), config };
}

/** The weights of an open checkpoint. */
export function checkpointSource(checkpoint: SafetensorsFile): Omit<WeightSource, 'config'> {
  return {
    name: checkpoint.name,
    shapes: new Map([...checkpoint.tensors].map(([name, { shape }]) => [name, shape])),
    async read(name, start, count) {
      const { dtype } = checkpoint.tensors.get(name)!;
      if (dtype !== 'F32' && dtype !== 'F16' && dtype !== 'BF16') {
        throw new GgufError(`${checkpoint.name}: ${name}: expected F32, F16 or BF16, got ${dtype}`);
      }
      const size = dtype === 'F32' ? 4 : 2;
      return toFloat32(await checkpoint.read(name, { offset: start * size, length: count * size }), dtype);
    },
    close: () => checkpoint.close(),
  };
}

/** config.json as savePretrained writes it. */
export function modelConfig({ rawConfig, architecture }: ConfiguredModel): ConfigValues {
  return new ConfigValues({ ...rawConfig, architectures: [architecture] }, architecture);
}

/** The weights of a model in memory. */
export function modelSource(model: ExportableModel): WeightSource {
  const tensors = stateDict(model);
  const { rawConfig, architecture } = model;
  // a tied head has the name of the embeddings; one that merging gave a weight of its own is tied no more
  const ties = tensors.has(HEAD) ? { tie_word_embeddings: false } : {};
  return {
    name: architecture,
    config: modelConfig({ rawConfig: { ...rawConfig, ...ties }, architecture }),
    shapes: new Map([...tensors].map(([name, { shape }]) => [name, shape])),
    async read(name, start, count) {
      const { dtype, device, storage } = tensors.get(name)!;
      const size = BYTES[dtype];
      const bytes = await device.read(storage.buffer, start * size, count * size);
      return toFloat32(bytes, floatDtype(name, dtype));
    },
    close: async () => undefined,
  };
}

function floatDtype(name: string, dtype: DType): 'F32' | 'F16' | 'BF16' {
  const stored = STORED_DTYPES[dtype];
  if (stored === 'F32' || stored === 'F16' || stored === 'BF16') return stored;
  throw new GgufError(`${name}: expected float32, float16 or bfloat16, got ${dtype}`);
}
