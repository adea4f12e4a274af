import { fileSource, openSafetensors, readJsonFile } from '@burin/checkpoint';
import { architectureOf, type GgufArchitecture } from './architectures.js';
import { ConfigValues } from './config.js';
import { encode } from './encode.js';
import { reorderRows } from './encode-tensor.js';
import { GgufError } from './errors.js';
import { float32, type Metadata, string, uint32 } from './metadata.js';
import type { Placement } from './placement.js';
import { type GgufType, TYPES } from './tensor-type.js';
import { type ConfiguredModel, checkpointSource, modelConfig, type WeightSource } from './weight-source.js';
import { type GgufFile, type GgufTensor, writeGguf } from './write-gguf.js';

/** How an adapter is written. */
export interface AdapterGgufOptions {
  /** The model that it is for, or its folder; of the folder only config.json is read. */
  base: string | ConfiguredModel;
  /** How A and B are stored; where a row is no whole number of blocks: F16. Default F32. */
  type?: GgufType;
  /** `general.name`: what programs call the adapter. */
  name?: string;
}

/** A and B of one layer. */
interface Pair {
  readonly module: string; // dotted name in the base
  readonly down: string; // [R, in], under PEFT's name
  readonly up: string; // [out, R]
}

/**
 * Writes a LoRA adapter as a GGUF file for `llama-cli --lora`. Scales that differ between layers are multiplied into B, so
 * that llama.cpp's one alpha gives what PEFT gives.
 *
 * @param folder - in PEFT's format: adapter_config.json and adapter_model.safetensors
 * @param path - the file; one that is there is replaced
 * @throws GgufError for an adapter that is no plain LoRA of Linear layers, or a base that llama.cpp has no architecture for
 * @example
 * await saveAdapterGguf('adapters/poet', 'poet-lora.gguf', { base: 'models/llama' });
 */
export async function saveAdapterGguf(
  folder: string,
  path: string,
  { base, type = 'F32', name }: AdapterGgufOptions,
): Promise<GgufFile> {
  const config =
    typeof base === 'string'
      ? new ConfigValues(await readJsonFile(`${base}/config.json`), `${base}/config.json`)
      : modelConfig(base);
  const adapter = new ConfigValues(
    await readJsonFile(`${folder}/adapter_config.json`),
    `${folder}/adapter_config.json`,
  );
  checkAdapter(adapter);
  const architecture = architectureOf(config);
  const checkpoint = await openSafetensors(await fileSource(`${folder}/adapter_model.safetensors`));
  try {
    const source = { ...checkpointSource(checkpoint), config };
    const tensors = pairsOf(source).flatMap((pair) => layerTensors(source, architecture, adapter, pair, type));
    return await writeGguf(path, adapterMetadata(architecture, adapter, type, name), tensors);
  } finally {
    await checkpoint.close();
  }
}

function checkAdapter(adapter: ConfigValues): void {
  adapter.expect('peft_type', 'LORA');
  adapter.expect('use_dora', false);
  adapter.expect('bias', 'none');
  const { modules_to_save: saved } = adapter.raw;
  if (Array.isArray(saved) && saved.length > 0) adapter.expect('modules_to_save');
}

function adapterMetadata(
  architecture: GgufArchitecture,
  adapter: ConfigValues,
  type: GgufType,
  name: string | undefined,
): Metadata {
  return new Map([
    ['general.architecture', string(architecture.name)],
    ['general.type', string('adapter')],
    ...(name === undefined ? [] : [['general.name', string(name)] as const]),
    ['general.quantization_version', uint32(2)],
    ['general.file_type', uint32(TYPES[type].fileType)],
    ['adapter.type', string('lora')],
    ['adapter.lora.alpha', float32(adapter.number('lora_alpha'))],
  ]);
}

const PEFT_NAME = /^base_model\.model\.(.+)\.lora_(A|B)\.weight$/;

/** @throws GgufError for a tensor that is neither A nor B of a Linear, and where one of the two is missing */
function pairsOf({ name: file, shapes }: WeightSource): Pair[] {
  const pairs: Pair[] = [];
  for (const stored of shapes.keys()) {
    const [, module, which] = PEFT_NAME.exec(stored) ?? [];
    const other = stored.replace(/\.lora_[AB]\.weight$/, `.lora_${which === 'A' ? 'B' : 'A'}.weight`);
    if (module === undefined || !shapes.has(other)) {
      throw new GgufError(
        `${file}: ${stored}: expected lora_A and lora_B of Linear layers, got another or half a pair`,
      );
    }
    if (which === 'A') pairs.push({ module, down: stored, up: other });
  }
  return pairs;
}

function layerTensors(
  source: WeightSource,
  architecture: GgufArchitecture,
  adapter: ConfigValues,
  pair: Pair,
  type: GgufType,
): GgufTensor[] {
  const placement = architecture.place(`${pair.module}.weight`, source.config);
  if (!placement || placement.name === 'token_embd.weight') {
    throw new GgufError(`${source.name}: ${pair.module}: llama.cpp has no such layer to adapt in ${architecture.name}`);
  }
  const rank = source.shapes.get(pair.down)![0]!;
  const factor = scaleOf(adapter, pair.module, rank) / (adapter.number('lora_alpha') / rank); // exactly 1 as a rule
  const pieces = (stored: string, change: (values: Float32Array) => Float32Array): GgufTensor['pieces'] =>
    async function* () {
      yield encode(change(await source.read(stored, 0, sizeOf(source, stored))), typeOf(source, stored, type));
    };
  const tensor = (suffix: string, stored: string, change: (values: Float32Array) => Float32Array): GgufTensor => ({
    name: `${placement.name}.${suffix}`,
    shape: source.shapes.get(stored)!,
    type: typeOf(source, stored, type),
    pieces: pieces(stored, change),
  });
  return [
    tensor('lora_a', pair.down, (values) => values),
    tensor('lora_b', pair.up, (values) =>
      scaled(reordered(values, source.shapes.get(pair.up)![0]!, placement), factor),
    ),
  ];
}

/** What PEFT multiplies `B · A` with. */
function scaleOf(adapter: ConfigValues, module: string, rank: number): number {
  const alphas = (adapter.raw.alpha_pattern ?? {}) as Record<string, number>;
  const key = Object.keys(alphas).find((pattern) => new RegExp(`^(.*\\.)?(${pattern})$`).test(module));
  const alpha = key === undefined ? adapter.number('lora_alpha') : alphas[key]!;
  return adapter.raw.use_rslora ? alpha / Math.sqrt(rank) : alpha / rank;
}

function reordered(values: Float32Array, rows: number, { rowOrder }: Placement): Float32Array {
  return rowOrder ? reorderRows(values, rows, rowOrder) : values;
}

function scaled(values: Float32Array, factor: number): Float32Array {
  return factor === 1 ? values : values.map((value) => value * factor);
}

function typeOf(source: WeightSource, stored: string, wanted: GgufType): GgufType {
  return source.shapes.get(stored)!.at(-1)! % TYPES[wanted].blockSize === 0 ? wanted : 'F16';
}

function sizeOf(source: WeightSource, stored: string): number {
  return source.shapes.get(stored)!.reduce((product, length) => product * length, 1);
}
