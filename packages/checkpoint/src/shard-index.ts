import { CheckpointError, label, shown } from './errors.js';
import { isJsonObject, type JsonObject, parseJsonObject } from './json.js';

/** Name of the one file of a checkpoint that is not sharded. */
export const SINGLE_FILE = 'model.safetensors';

/** Name of the file that says which tensor is in which shard. */
export const INDEX_FILE = 'model.safetensors.index.json';

/** `model-00001-of-00003.safetensors`, as Hugging Face names the first of three. */
export function shardName(index: number, count: number): string {
  const digits = (n: number) => String(n).padStart(5, '0');
  return `model-${digits(index + 1)}-of-${digits(count)}.safetensors`;
}

/** Whether a file of this name holds weights of a checkpoint that `writeCheckpoint` may have written. */
export function isWeightsFile(name: string): boolean {
  return name === SINGLE_FILE || /^model-\d{5}-of-\d{5}\.safetensors$/.test(name);
}

/**
 * Which tensor is in which file, out of `model.safetensors.index.json`.
 *
 * @param file - what to call the index in messages
 * @returns tensor name to file name; each file name is a plain one, in the same folder
 * @throws CheckpointError if it is not JSON, has no `weight_map`, or names a file elsewhere
 */
export function parseIndex(file: string, bytes: Uint8Array): ReadonlyMap<string, string> {
  const map = weightMap(file, parseJsonObject(file, bytes));
  const files = new Map<string, string>();
  for (const [tensor, shard] of Object.entries(map)) {
    if (typeof shard !== 'string' || !isPlainName(shard)) {
      throw new CheckpointError(
        `${file}: ${label(tensor)}: weight_map must name a file of the same folder: ` +
          `expected a name such as ${shardName(0, 2)}, got ${shown(shard)}`,
      );
    }
    files.set(tensor, shard);
  }
  return files;
}

function weightMap(file: string, index: JsonObject): JsonObject {
  const map = Object.hasOwn(index, 'weight_map') ? index.weight_map : undefined;
  if (isJsonObject(map)) return map;
  throw new CheckpointError(`${file}: weight_map must be an object of tensor name to file name: got ${shown(map)}`);
}

/** A name that cannot lead out of its folder. */
function isPlainName(name: string): boolean {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: a NUL byte ends a path early on some systems
  return name !== '' && name !== '.' && name !== '..' && !/[/\\:\u0000]/.test(name);
}

/** The index as Hugging Face writes it: sorted keys, two spaces. */
export function formatIndex(files: ReadonlyMap<string, string>, totalSize: number): string {
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  const index = { metadata: { total_size: totalSize }, weight_map: Object.fromEntries(sorted) };
  return `${JSON.stringify(index, null, 2)}\n`;
}
