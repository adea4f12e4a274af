import { type ByteSource, checkRange } from './byte-source.js';
import { CheckpointError } from './errors.js';
import { parseJson } from './json.js';
import { isTemporary } from './temporary-name.js';

// The only file that knows the platform. Node's built-ins are fetched when first needed, and not imported, so that
// bundlers for the browser find nothing to stumble over.

export type FileHandle = import('node:fs/promises').FileHandle;

/** What is used of Node. */
export interface Platform {
  readonly fs: typeof import('node:fs/promises');
  readonly path: typeof import('node:path');
  /** Tells apart whoever writes at the same time: process and thread. */
  readonly pid: number;
  readonly threadId: number;
  isRunning(pid: number): boolean;
}

/** Node's file system, or an error that says that there is none. `who` is the function to blame. */
export function platform(who: string): Platform {
  const { process } = globalThis;
  const fs = process?.getBuiltinModule?.('node:fs/promises');
  if (!fs) {
    throw new CheckpointError(
      `${who}: files need Node 20.16 or later: here there is no file system; ` +
        'in a browser open a Blob with blobSource, or bytes with bytesSource or readSafetensors, and make bytes with writeSafetensors',
    );
  }
  return {
    fs,
    path: process.getBuiltinModule('node:path'),
    pid: process.pid,
    threadId: process.getBuiltinModule('node:worker_threads').threadId,
    isRunning: (pid) => isRunning(process, pid),
  };
}

function isRunning(process: NodeJS.Process, pid: number): boolean {
  try {
    process.kill(pid, 0); // signal 0 only asks
    return true;
  } catch (error) {
    return codeOf(error) === 'EPERM'; // somebody else's process
  }
}

/** The system's code of an error, such as `ENOENT`. */
export function codeOf(error: unknown): string | undefined {
  return typeof error === 'object' && error !== null && 'code' in error ? String(error.code) : undefined;
}

const REMEDIES: Readonly<Record<string, string>> = {
  ENOENT: 'there is none; check the path',
  EACCES: 'permission denied; check who owns it and its mode',
  EPERM: 'permission denied; check who owns it and its mode',
  EROFS: 'the file system is read-only; choose another place',
  ENOSPC: 'the disk is full; free some space and try again',
  EDQUOT: 'your quota is used up; free some space and try again',
  EISDIR: 'it is a folder; give the path of a file',
  ENOTDIR: 'it is not a folder, or a part of its path is not',
  EEXIST: 'it is there already; remove it first or choose another name',
  ENOTEMPTY: 'it is a folder that is not empty; remove it first or choose another name',
  EMFILE: 'too many files are open; close some checkpoints',
};

/** Runs `action`; what the system refuses becomes a `CheckpointError` that names the path and what to do. */
export async function attempt<T>(who: string, verb: string, path: string, action: () => Promise<T>): Promise<T> {
  try {
    return await action();
  } catch (cause) {
    if (cause instanceof CheckpointError) throw cause;
    const code = codeOf(cause);
    const reason = (code && REMEDIES[code]) ?? (cause instanceof Error ? cause.message : String(cause));
    throw new CheckpointError(`${who}: cannot ${verb} ${path}: ${reason}${code ? ` (${code})` : ''}`, { cause });
  }
}

/** Most bytes of one system call: Linux stops short of 2 GiB. */
const MAX_READ = 2 ** 30;

/**
 * A source over a file on disk, for Node. The file stays open until `close()`. Only what is asked for is read.
 *
 * @throws CheckpointError if there is no such file, or no file system; from `read` if the range is not inside the file
 */
export async function fileSource(path: string): Promise<ByteSource> {
  const { fs } = platform('fileSource');
  const handle = await attempt('fileSource', 'open', path, () => fs.open(path, 'r'));
  try {
    const stat = await attempt('fileSource', 'read', path, () => handle.stat());
    if (!stat.isFile()) throw new CheckpointError(`fileSource: cannot read ${path}: it is not a file`);
    return {
      name: path,
      size: stat.size,
      async read(offset, length) {
        checkRange(path, stat.size, offset, length);
        return attempt('fileSource', 'read', path, () => readFully(handle, offset, length));
      },
      close: () => handle.close(),
    };
  } catch (error) {
    await handle.close();
    throw error;
  }
}

async function readFully(handle: FileHandle, offset: number, length: number): Promise<Uint8Array> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const { bytesRead } = await handle.read(bytes, done, Math.min(length - done, MAX_READ), offset + done);
    if (bytesRead === 0) break; // the file became shorter: the reader sees that bytes are missing
    done += bytesRead;
  }
  return bytes.subarray(0, done);
}

/** The text of a UTF-8 file. @throws CheckpointError naming the path and what to do */
export async function readTextFile(path: string): Promise<string> {
  const { fs } = platform('readTextFile');
  return attempt('readTextFile', 'read', path, () => fs.readFile(path, 'utf8'));
}

/** What a JSON file holds, unchecked. @throws CheckpointError naming the path, also where it is not JSON */
export async function readJsonFile(path: string): Promise<unknown> {
  const { fs } = platform('readJsonFile');
  return parseJson(path, await attempt('readJsonFile', 'read', path, () => fs.readFile(path, 'utf8')));
}

/** Whether there is a file or a folder at `path`. */
export async function exists(path: string): Promise<boolean> {
  const { fs } = platform('exists');
  try {
    await fs.stat(path);
    return true;
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return false;
    return attempt('exists', 'look at', path, () => Promise.reject(error));
  }
}

/** Makes a folder and those above it; one that is there already is left as it is. */
export async function makeFolder(path: string): Promise<void> {
  const { fs } = platform('makeFolder');
  await attempt('makeFolder', 'make', path, () => fs.mkdir(path, { recursive: true }));
}

/** Removes a folder and all that is in it; one that is not there is no error. */
export async function removeFolder(path: string): Promise<void> {
  const { fs } = platform('removeFolder');
  await attempt('removeFolder', 'remove', path, () => fs.rm(path, { recursive: true, force: true }));
}

/** Names of what is in a folder, sorted, without what a write that is not finished has put aside there. */
export async function listFolder(path: string): Promise<string[]> {
  const { fs } = platform('listFolder');
  const names = await attempt('listFolder', 'list', path, () => fs.readdir(path));
  return names.filter((name) => !isTemporary(name)).sort();
}
