import { writeFileAtomic } from './atomic-file.js';
import { checkDtype, checkShape, countBytes } from './dtype.js';
import { CheckpointError, label } from './errors.js';
import { attempt, listFolder, platform } from './files.js';
import type { Metadata } from './header.js';
import { formatIndex, INDEX_FILE, isWeightsFile, SINGLE_FILE, shardName } from './shard-index.js';
import { type TensorToWrite, type WrittenFile, writeSafetensorsFile } from './write.js';

/** How `writeCheckpoint` writes. */
export interface WriteCheckpointOptions {
  /** Most bytes of tensors in one file; a larger tensor gets a file of its own. Default 5 GB, as in Hugging Face's tools. */
  readonly maxShardBytes?: number;
  /** Written into each file. Default `{ format: 'pt' }`, which transformers wants to see. */
  readonly metadata?: Metadata;
}

const DEFAULT_SHARD_BYTES = 5e9;

/**
 * Writes the weights of a model as Hugging Face does: `model.safetensors`, or, above `maxShardBytes`, numbered shards and
 * `model.safetensors.index.json`. Weights of an earlier save that are no longer needed are removed last.
 *
 * Each file is written whole or not at all. For the folder as a whole to be so, write inside `writeFolderAtomic`.
 *
 * @param folder - a folder that exists
 * @param tensors - split in the order given
 * @returns each file of weights, with sizes
 * @throws CheckpointError as `writeSafetensorsFile` does, or if a name comes twice
 * @throws RangeError if `maxShardBytes` is not greater than 0
 */
export async function writeCheckpoint(
  folder: string,
  tensors: Iterable<TensorToWrite>,
  { maxShardBytes = DEFAULT_SHARD_BYTES, metadata = { format: 'pt' } }: WriteCheckpointOptions = {},
): Promise<WrittenFile[]> {
  if (!(maxShardBytes > 0))
    throw new RangeError(`writeCheckpoint: maxShardBytes must be greater than 0, got ${maxShardBytes}`);
  const { path: paths } = platform('writeCheckpoint');
  const shards = splitShards(folder, tensors, maxShardBytes);
  const files: WrittenFile[] = [];
  const placed = new Map<string, string>(); // tensor name to file name
  for (const [index, shard] of shards.entries()) {
    const name = shards.length === 1 ? SINGLE_FILE : shardName(index, shards.length);
    for (const tensor of shard) placed.set(tensor.name, name);
    files.push(await writeSafetensorsFile(paths.join(folder, name), shard, metadata));
  }
  if (shards.length > 1) {
    await writeFileAtomic(paths.join(folder, INDEX_FILE), formatIndex(placed, totalBytes(files)));
  }
  await removeOldWeights(folder, new Set(files.map(({ path }) => paths.basename(path))));
  return files;
}

/** Fills one shard after another, in order. There is always one, even of no tensors. */
function splitShards(folder: string, tensors: Iterable<TensorToWrite>, maxShardBytes: number): TensorToWrite[][] {
  const shards: TensorToWrite[][] = [[]];
  const seen = new Set<string>();
  let filled = 0;
  for (const tensor of tensors) {
    const who = `${folder}: ${label(tensor.name)}`;
    if (seen.has(tensor.name)) throw new CheckpointError(`${who}: a tensor's name must be unique: got it twice`);
    seen.add(tensor.name);
    checkDtype(who, tensor.dtype);
    checkShape(who, tensor.shape);
    const bytes = countBytes(who, tensor.dtype, tensor.shape);
    if (filled > 0 && filled + bytes > maxShardBytes) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push(tensor);
    filled += bytes;
  }
  return shards;
}

function totalBytes(files: readonly WrittenFile[]): number {
  return files.flatMap(({ tensors }) => tensors).reduce((sum, { byteLength }) => sum + byteLength, 0);
}

/** Old weights go last: until all of the new ones are there, a reader finds an old `model.safetensors` whole. */
async function removeOldWeights(folder: string, keep: ReadonlySet<string>): Promise<void> {
  const { fs, path: paths } = platform('writeCheckpoint');
  for (const name of await listFolder(folder)) {
    const isOldIndex = name === INDEX_FILE && keep.has(SINGLE_FILE);
    if (!isOldIndex && (!isWeightsFile(name) || keep.has(name))) continue;
    await attempt('writeCheckpoint', 'remove', name, () => fs.rm(paths.join(folder, name)));
  }
}
