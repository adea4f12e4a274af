import { type ByteSource, readExactly } from './byte-source.js';
import { CheckpointError, label } from './errors.js';
import { fileSource, listFolder, platform } from './files.js';
import type { FolderSource } from './folder-source.js';
import type { Metadata, TensorInfo } from './header.js';
import { findTensor, openSafetensors, type SafetensorsFile } from './read.js';
import { INDEX_FILE, parseIndex, SINGLE_FILE } from './shard-index.js';

/** A folder of a checkpoint, wherever it lies. */
interface Folder {
  readonly name: string;
  readonly files: readonly string[];
  open(file: string): Promise<ByteSource>;
}

/** Run in the folder, it writes `model.safetensors` from one or several `pytorch_model*.bin`. */
const CONVERSION = `python3 -c "import glob, torch; from safetensors.torch import save_file; save_file({k: v.clone().contiguous() \
for f in sorted(glob.glob('pytorch_model*.bin')) for k, v in torch.load(f, map_location='cpu', weights_only=True).items()}, \
'model.safetensors', {'format': 'pt'})"`;

/**
 * Opens the weights of a Hugging Face folder: `model.safetensors`, or shards with `model.safetensors.index.json`. All
 * headers are read and checked, and no tensor yet.
 *
 * @param folder - a path, in Node; or, anywhere, the folder's files by name, such as those that a person picked
 * @returns all shards as one file; `tensors` has each tensor's place in its own shard
 * @throws CheckpointError if there are no such files, one breaks a rule of the format, or index and shards do not agree
 * @example
 * const checkpoint = await openCheckpoint('models/stories260k');
 * checkpoint.tensors.get('model.norm.weight')?.shape; // [64]
 */
export async function openCheckpoint(folder: FolderSource): Promise<SafetensorsFile> {
  const found = typeof folder === 'string' ? await diskFolder(folder) : pickedFolder(folder);
  if (found.files.includes(SINGLE_FILE)) return openSafetensors(await found.open(SINGLE_FILE));
  if (found.files.includes(INDEX_FILE)) return openSharded(found);
  throw new CheckpointError(missingWeights(found));
}

async function diskFolder(path: string): Promise<Folder> {
  const { path: paths } = platform('openCheckpoint');
  return { name: path, files: await listFolder(path), open: (file) => fileSource(paths.join(path, file)) };
}

function pickedFolder(sources: ReadonlyMap<string, ByteSource>): Folder {
  return { name: 'files', files: [...sources.keys()], open: async (file) => sources.get(file)! };
}

function missingWeights({ name, files }: Folder): string {
  const rule = `openCheckpoint: ${name} must hold weights: expected ${SINGLE_FILE} or ${INDEX_FILE}`;
  if (files.some((file) => /^pytorch_model.*\.bin$/.test(file))) {
    return `${rule}, got PyTorch's pickle format (.bin), which can run code when it is read; convert it, in that folder: ${CONVERSION}`;
  }
  const shown = files.slice(0, 8).map(label).join(', ');
  return `${rule}, got ${files.length === 0 ? 'an empty folder' : `${shown}${files.length > 8 ? ', ...' : ''}`}`;
}

async function openSharded(folder: Folder): Promise<SafetensorsFile> {
  const where = `${folder.name}/${INDEX_FILE}`;
  const files = parseIndex(where, await readAll(await folder.open(INDEX_FILE)));
  const shards = new Map<string, SafetensorsFile>();
  try {
    for (const file of new Set(files.values())) shards.set(file, await openShard(folder, where, file));
    return joinShards(folder.name, where, files, shards);
  } catch (error) {
    await closeAll(shards);
    throw error;
  }
}

async function readAll(source: ByteSource): Promise<Uint8Array> {
  try {
    return await readExactly(source, 0, source.size);
  } finally {
    await source.close?.();
  }
}

async function openShard(folder: Folder, where: string, file: string): Promise<SafetensorsFile> {
  if (folder.files.includes(file)) return openSafetensors(await folder.open(file));
  throw new CheckpointError(`${where}: every shard must be there: expected ${label(file)}, got none; fetch it again`);
}

/** The shards as one file, once index and shards say the same. */
function joinShards(
  name: string,
  where: string,
  files: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, SafetensorsFile>,
): SafetensorsFile {
  checkShardsListed(where, files, shards);
  const tensors = new Map<string, TensorInfo>();
  for (const [tensor, file] of files) {
    const info = shards.get(file)!.tensors.get(tensor);
    if (!info) {
      throw new CheckpointError(
        `${where}: ${label(tensor)}: a tensor must be in its shard: expected it in ${file}, got none`,
      );
    }
    tensors.set(tensor, info);
  }
  return {
    name,
    metadata: joinMetadata(shards),
    tensors,
    async read(tensor, part) {
      findTensor(name, tensors, tensor);
      return shards.get(files.get(tensor)!)!.read(tensor, part);
    },
    close: () => closeAll(shards),
  };
}

function checkShardsListed(
  where: string,
  files: ReadonlyMap<string, string>,
  shards: ReadonlyMap<string, SafetensorsFile>,
): void {
  for (const [file, shard] of shards) {
    for (const tensor of shard.tensors.keys()) {
      if (files.get(tensor) === file) continue;
      throw new CheckpointError(
        `${where}: ${label(tensor)}: weight_map must list what the shards hold: expected ${file}, ` +
          `got ${files.get(tensor) ?? 'no entry'}`,
      );
    }
  }
}

/** The notes of all shards; of the same key twice, the first shard's. */
function joinMetadata(shards: ReadonlyMap<string, SafetensorsFile>): Metadata {
  const joined = Object.create(null) as Record<string, string>;
  for (const { metadata } of shards.values()) {
    for (const [key, value] of Object.entries(metadata)) joined[key] ??= value;
  }
  return joined;
}

async function closeAll(shards: ReadonlyMap<string, SafetensorsFile>): Promise<void> {
  for (const shard of shards.values()) await shard.close();
}
