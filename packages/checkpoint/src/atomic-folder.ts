import { syncFolder } from './atomic-file.js';
import { CheckpointError } from './errors.js';
import { attempt, exists, makeFolder, platform } from './files.js';
import { clearLeftovers, withTemporary } from './leftovers.js';

/** What to do where a folder of the name is there already. */
export interface RenameOptions {
  /** Take its place. Default false: that is an error. */
  readonly replace?: boolean;
}

/**
 * Writes a folder whole or not at all: `fill` writes into a folder aside, every file in it is synced, then it is renamed
 * to `path`. A process that is killed leaves a folder aside that nobody takes for the real one, and the next call clears it.
 *
 * @param path - the folders above it are made where they are not there
 * @param fill - writes files into the folder whose path it is given
 * @throws CheckpointError if `path` is there already and `replace` is not set, or if the disk refuses; what `fill` throws.
 *   `path` is then as it was
 * @example
 * await writeFolderAtomic('run/checkpoint-500', async (folder) => {
 *   await writeFileAtomic(`${folder}/trainer_state.json`, '{}');
 * });
 */
export async function writeFolderAtomic(
  path: string,
  fill: (temporary: string) => Promise<void>,
  options: RenameOptions = {},
): Promise<void> {
  const who = 'writeFolderAtomic';
  const { fs, path: paths } = platform(who);
  const parent = paths.dirname(paths.resolve(path));
  await makeFolder(parent);
  await clearLeftovers(who, parent, paths.basename(path));
  if (!options.replace) await refuseExisting(who, path);
  await withTemporary(who, 'new', path, async (temporary) => {
    try {
      await attempt(who, 'make', temporary, () => fs.mkdir(temporary));
      await fill(temporary);
      await renameFolder(temporary, path, options);
    } catch (error) {
      await fs.rm(temporary, { recursive: true, force: true }).catch(() => undefined); // the first error is the one to tell
      throw error;
    }
  });
}

/**
 * Publishes a folder under another name in one step, once all that is in it is safe on disk: syncs every file and folder
 * inside `from`, renames it to `to`, syncs the folder around it.
 *
 * With `replace` the old folder moves aside first, so that for a moment there is none at `to`; who is killed in that moment
 * finds the old one back after `recoverFolder`, or after the next write of the same name.
 *
 * @param from - a folder on the same file system as `to`
 * @throws CheckpointError if `to` is there already and `replace` is not set, or if the disk refuses; both are then as they were
 */
export async function renameFolder(from: string, to: string, options: RenameOptions = {}): Promise<void> {
  const who = 'renameFolder';
  const { fs, path: paths } = platform(who);
  if (!options.replace) await refuseExisting(who, to);
  await syncTree(who, from);
  if (options.replace && (await exists(to))) await swapFolder(who, from, to);
  else await attempt(who, 'make', to, () => fs.rename(from, to));
  await syncFolder(who, paths.dirname(paths.resolve(to)));
}

/**
 * Clears what killed processes left in `folder`, and moves a folder back that was about to be replaced. Call it before
 * looking for the newest checkpoint; what another process is writing at this moment is left alone.
 */
export async function recoverFolder(folder: string): Promise<void> {
  await clearLeftovers('recoverFolder', folder);
}

async function refuseExisting(who: string, path: string): Promise<void> {
  if (!(await exists(path))) return;
  throw new CheckpointError(
    `${who}: ${path} must not be there yet: got a file or folder of this name; pass { replace: true }, or choose another name`,
  );
}

async function swapFolder(who: string, from: string, to: string): Promise<void> {
  const { fs } = platform(who);
  await withTemporary(who, 'old', to, async (aside) => {
    await attempt(who, 'move aside', to, () => fs.rename(to, aside));
    try {
      await attempt(who, 'replace', to, () => fs.rename(from, to));
    } catch (error) {
      await fs.rename(aside, to).catch(() => undefined); // else the next call puts it back
      throw error;
    }
    await attempt(who, 'remove', aside, () => fs.rm(aside, { recursive: true, force: true }));
  });
}

async function syncTree(who: string, folder: string): Promise<void> {
  const { fs, path: paths } = platform(who);
  const entries = await attempt(who, 'list', folder, () => fs.readdir(folder, { withFileTypes: true }));
  for (const entry of entries) {
    const path = paths.join(folder, entry.name);
    if (entry.isDirectory()) await syncTree(who, path);
    else if (entry.isFile()) await syncFile(who, path);
  }
  await syncFolder(who, folder);
}

async function syncFile(who: string, path: string): Promise<void> {
  const { fs } = platform(who);
  await attempt(who, 'sync', path, async () => {
    const handle = await fs.open(path, 'r+'); // Windows syncs only what may be written
    try {
      await handle.sync();
    } finally {
      await handle.close();
    }
  });
}
