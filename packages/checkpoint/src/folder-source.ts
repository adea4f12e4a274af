import { type ByteSource, readExactly, typeName } from './byte-source.js';
import { CheckpointError, label } from './errors.js';
import { exists, readJsonFile, readTextFile } from './files.js';
import { parseJson } from './json.js';

/** A folder: its path, in Node; or, anywhere, its files by name, such as those that a person picked or a page fetched. */
export type FolderSource = string | ReadonlyMap<string, ByteSource>;

/** How messages call a file of a folder: its path, or its name. */
export function fileName(folder: FolderSource, file: string): string {
  return typeof folder === 'string' ? `${folder}/${file}` : file;
}

/** Whether a folder has a file. */
export async function hasFile(folder: FolderSource, file: string): Promise<boolean> {
  return typeof folder === 'string' ? exists(fileName(folder, file)) : filesOf(folder).has(file);
}

/** The text of a UTF-8 file of a folder. @throws CheckpointError naming the file, if it is not there or cannot be read */
export async function readText(folder: FolderSource, file: string): Promise<string> {
  if (typeof folder === 'string') return readTextFile(fileName(folder, file));
  const source = filesOf(folder).get(file);
  if (!source) {
    const names = [...folder.keys()].map(label).join(', ');
    throw new CheckpointError(`${file} must be among the files of the folder, got ${names || 'none'}`);
  }
  try {
    return new TextDecoder().decode(await readExactly(source, 0, source.size));
  } finally {
    await source.close?.();
  }
}

function filesOf(folder: ReadonlyMap<string, ByteSource>): ReadonlyMap<string, ByteSource> {
  if (typeof folder?.get === 'function') return folder;
  throw new CheckpointError(
    `a folder must be a path, or a Map of its files by name: got ${typeName(folder)}; of files that a person picked: ` +
      'new Map([...files].map((file) => [file.name, blobSource(file)]))',
  );
}

/** What a JSON file of a folder holds, unchecked. @throws CheckpointError as {@link readText}, also where it is not JSON */
export async function readJson(folder: FolderSource, file: string): Promise<unknown> {
  if (typeof folder === 'string') return readJsonFile(fileName(folder, file));
  return parseJson(file, await readText(folder, file));
}
