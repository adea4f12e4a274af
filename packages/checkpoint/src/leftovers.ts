import { attempt, codeOf, exists, type Platform, platform } from './files.js';
import { formatTemporary, parseTemporary, type TemporaryKind, type TemporaryName } from './temporary-name.js';

// A process that is killed leaves what it was writing. Each temporary name says who wrote it, so that the next writer
// can tell a leftover from what another process or thread is writing right now.

/** After this long a name aside is a leftover even if a process with its number runs: numbers are used again. */
const STALE_AFTER_MS = 24 * 60 * 60 * 1000;

let count = 0;
const underway = new Set<string>(); // paths that this thread is writing

/** Runs `action` with a path aside for `path`, in the same folder, which nobody takes for a leftover meanwhile. */
export async function withTemporary<T>(
  who: string,
  kind: TemporaryKind,
  path: string,
  action: (temporary: string) => Promise<T>,
): Promise<T> {
  const { path: paths, pid, threadId } = platform(who);
  const full = paths.resolve(path);
  const name = formatTemporary({ kind, target: paths.basename(full), pid, threadId, count: count++ });
  const temporary = paths.join(paths.dirname(full), name);
  underway.add(temporary);
  try {
    return await action(temporary);
  } finally {
    underway.delete(temporary);
  }
}

/**
 * Clears what killed processes left in `folder`: half-written files and folders are removed; an old folder that was moved
 * aside is moved back where its place is empty, and removed where the new one has it.
 *
 * @param target - only what was left for this name; default: all
 */
export async function clearLeftovers(who: string, folder: string, target?: string): Promise<void> {
  const node = platform(who);
  const names = await attempt(who, 'list', folder, () => node.fs.readdir(folder));
  for (const name of names) {
    const parsed = parseTemporary(name);
    if (!parsed || (target !== undefined && parsed.target !== target)) continue;
    const path = node.path.join(node.path.resolve(folder), name);
    if (await isLeftover(node, path, parsed)) await clear(who, node, path, parsed);
  }
}

async function isLeftover(node: Platform, path: string, { pid, threadId }: TemporaryName): Promise<boolean> {
  if (underway.has(path)) return false;
  if (pid === node.pid && threadId === node.threadId) return true; // of an earlier process with our number
  if (!node.isRunning(pid)) return true;
  const stat = await node.fs.stat(path).catch(() => undefined);
  return stat !== undefined && Date.now() - stat.mtimeMs > STALE_AFTER_MS;
}

async function clear(
  who: string,
  { fs, path: paths }: Platform,
  path: string,
  { kind, target }: TemporaryName,
): Promise<void> {
  const place = paths.join(paths.dirname(path), target);
  if (kind === 'new' || (await exists(place))) {
    await attempt(who, 'clear', path, () => fs.rm(path, { recursive: true, force: true }));
    return;
  }
  await attempt(who, 'put back', path, () => fs.rename(path, place).catch(ignoreMissing));
}

/** Somebody else cleared the same leftover first. */
function ignoreMissing(error: unknown): void {
  if (codeOf(error) !== 'ENOENT') throw error;
}
