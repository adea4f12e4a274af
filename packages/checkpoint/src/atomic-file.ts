import { attempt, codeOf, type FileHandle, type Platform, platform } from './files.js';
import { clearLeftovers, withTemporary } from './leftovers.js';

/** Most bytes of one system call: Linux stops short of 2 GiB. */
const MAX_WRITE = 2 ** 30;

/**
 * Writes a file whole or not at all: aside, fsync, rename, fsync of the folder. `path` holds the old file or the new one
 * at every moment, also when the process is killed or the power fails. What a killed process left aside is removed.
 *
 * @param path - in a folder that exists; a file of this name is replaced
 * @param data - bytes, or text that is written as UTF-8
 * @throws CheckpointError naming the path and what to do; `path` is then as it was
 * @example
 * await writeFileAtomic('config.json', JSON.stringify({ model_type: 'llama' }));
 */
export async function writeFileAtomic(path: string, data: Uint8Array | string): Promise<void> {
  const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : data;
  await writeAtomically('writeFileAtomic', path, (write) => write(bytes));
}

/** `writeFileAtomic` of bytes that come piece by piece: `produce` hands them to `write`, in order, and waits for each. */
export async function writeAtomically(
  who: string,
  path: string,
  produce: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const node = platform(who);
  const folder = node.path.dirname(node.path.resolve(path));
  await clearLeftovers(who, folder, node.path.basename(path));
  await withTemporary(who, 'new', path, async (temporary) => {
    try {
      await writeAside(who, node, path, temporary, produce);
      await attempt(who, 'replace', path, () => node.fs.rename(temporary, path));
    } catch (error) {
      await node.fs.rm(temporary, { force: true }).catch(() => undefined); // the first error is the one to tell
      throw error;
    }
  });
  await syncFolder(who, folder);
}

async function writeAside(
  who: string,
  { fs }: Platform,
  path: string,
  temporary: string,
  produce: (write: (bytes: Uint8Array) => Promise<void>) => Promise<void>,
): Promise<void> {
  const handle = await attempt(who, 'write', path, () => fs.open(temporary, 'wx'));
  try {
    await produce((bytes) => attempt(who, 'write', path, () => writeFully(handle, bytes)));
    await attempt(who, 'write', path, () => handle.sync());
  } finally {
    await handle.close();
  }
}

async function writeFully(handle: FileHandle, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesWritten } = await handle.write(bytes, done, Math.min(bytes.length - done, MAX_WRITE));
    done += bytesWritten;
  }
}

/** Makes what was renamed inside `folder` last through a power failure. */
export async function syncFolder(who: string, folder: string): Promise<void> {
  const { fs } = platform(who);
  await attempt(who, 'sync', folder, async () => {
    const handle = await openFolder(fs, folder);
    try {
      await handle?.sync();
    } catch (error) {
      if (!isUnsupported(error)) throw error;
    } finally {
      await handle?.close();
    }
  });
}

async function openFolder(fs: Platform['fs'], folder: string) {
  try {
    return await fs.open(folder, 'r');
  } catch (error) {
    if (isUnsupported(error)) return undefined;
    throw error;
  }
}

/** Windows opens no folder as a file, and some network file systems cannot sync one: then there is nothing to do. */
function isUnsupported(error: unknown): boolean {
  return ['EISDIR', 'EPERM', 'EINVAL', 'ENOTSUP'].includes(codeOf(error) ?? '');
}
