import { HubError } from './errors.js';
import type { RemoteFile } from './needed-files.js';
import { isThere, platform } from './platform.node.js';
import type { RepositoryCache } from './repository-cache.js';

/** Fetches the bytes of a file. */
export type OpenBlob = (file: RemoteFile) => Promise<Blob>;

/** What another machine or thread has not written to for so long is left over: whether it runs cannot be asked. */
const STALE_AFTER_MS = 10 * 60 * 1000;

let count = 0;
const underway = new Set<string>(); // what this thread is writing

/**
 * Puts a file into the cache, unless it is there: its bytes under their hash, and a link in the snapshot. A file is
 * written aside, goes on where an interrupted process stopped, and is given its name once its hash is right.
 *
 * @throws HubError if what came is not what the hub said; nothing of it stays
 */
export async function download(
  cache: RepositoryCache,
  commit: string,
  file: RemoteFile,
  openBlob: OpenBlob,
): Promise<void> {
  const { fs, path } = platform();
  const link = path.join(cache.snapshot(commit), file.path);
  if (await isThere(link)) return;
  const blob = path.join(cache.blobs, file.etag);
  await fs.mkdir(cache.blobs, { recursive: true });
  if (!(await isThere(blob))) await fetchBlob(cache, file, blob, openBlob);
  await fs.mkdir(path.dirname(link), { recursive: true });
  await linkTo(blob, link);
}

async function fetchBlob(cache: RepositoryCache, file: RemoteFile, blob: string, openBlob: OpenBlob): Promise<void> {
  const { path, host, pid, threadId } = platform();
  const aside = path.join(cache.blobs, `${file.etag}.${host}.${pid}-${threadId}-${count++}.incomplete`);
  underway.add(aside);
  try {
    await adoptLeftover(cache, file, aside);
    await append(aside, file, await openBlob(file));
    await publish(aside, file, blob);
  } finally {
    underway.delete(aside);
  }
}

/** Gives the bytes their name, if they are what the hub said. */
async function publish(aside: string, file: RemoteFile, blob: string): Promise<void> {
  const { fs } = platform();
  const got = await hashOf(aside, file);
  if (got !== null) {
    await fs.rm(aside, { force: true });
    throw new HubError(
      `${file.path}: what was downloaded must have the hash that the hub names: expected ${file.etag}, got ${got}; ` +
        'try again',
    );
  }
  await fs.rename(aside, blob);
}

/** What a process that no longer runs has fetched of this file becomes the beginning of ours. */
async function adoptLeftover(cache: RepositoryCache, file: RemoteFile, aside: string): Promise<void> {
  const { fs, path } = platform();
  for (const name of await fs.readdir(cache.blobs)) {
    const [, etag, host, pid, thread] = /^(\w+)\.(.+)\.(\d+)-(\d+)-\d+\.incomplete$/.exec(name) ?? [];
    const leftover = path.join(cache.blobs, name);
    const owner = { host, pid: Number(pid), threadId: Number(thread) };
    if (etag !== file.etag || (await isInUse(leftover, owner))) continue;
    await fs.rename(leftover, aside).catch(() => undefined); // another process was first
    return;
  }
}

interface Owner {
  readonly host: string | undefined;
  readonly pid: number;
  readonly threadId: number;
}

/** Containers that share a cache have processes of the same numbers. */
async function isInUse(path: string, { host, pid, threadId }: Owner): Promise<boolean> {
  const own = platform();
  const isHere = host === own.host;
  if (isHere && pid !== own.pid) return own.isRunning(pid);
  if (isHere && threadId === own.threadId) return underway.has(path);
  const stat = await own.fs.stat(path).catch(() => undefined);
  return stat !== undefined && Date.now() - stat.mtimeMs < STALE_AFTER_MS;
}

/** Writes the part of `blob` that is not in the file yet. */
async function append(aside: string, file: RemoteFile, blob: Blob): Promise<void> {
  const { fs } = platform();
  const handle = await fs.open(aside, 'a');
  try {
    const { size } = await handle.stat();
    if (size > file.size) await handle.truncate(0);
    const start = size > file.size ? 0 : size;
    if (start < file.size) await copy(blob.slice(start, file.size), handle);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

async function copy(blob: Blob, handle: import('node:fs/promises').FileHandle): Promise<void> {
  const reader = blob.stream().getReader();
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    await handle.writeFile(value); // appends
  }
}

/** null if the file has the size and the hash that it should have, else what it has. */
async function hashOf(path: string, { etag, size }: RemoteFile): Promise<string | null> {
  const { fs, crypto } = platform();
  const isGit = etag.length === 40;
  const hash = crypto.createHash(isGit ? 'sha1' : 'sha256');
  const handle = await fs.open(path, 'r');
  try {
    const { size: length } = await handle.stat();
    if (length !== size) return `${length} of ${size} bytes`;
    if (isGit) hash.update(`blob ${length}\0`); // as git hashes a file
    for await (const bytes of handle.createReadStream({ autoClose: false })) hash.update(bytes as Uint8Array);
  } finally {
    await handle.close();
  }
  const got = hash.digest('hex');
  return got === etag ? null : got;
}

/** A relative link, so that the cache can be moved; a copy where links are not allowed. */
async function linkTo(blob: string, link: string): Promise<void> {
  const { fs, path } = platform();
  try {
    await fs.symlink(path.relative(path.dirname(link), blob), link);
  } catch (error) {
    if (await isThere(link)) return; // another process was first
    if ((error as { code?: string }).code === 'EEXIST') await fs.rm(link, { force: true }); // a link to nothing
    await fs.copyFile(blob, link);
  }
}
