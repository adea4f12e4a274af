import { HubError } from './errors.js';
import type { HubOptions, HubSettings } from './options.js';

// The only file that knows the platform. Node's built-ins are fetched when first needed, and not imported, so that
// bundlers for the browser find nothing to stumble over.

/** What is used of Node. */
export interface Platform {
  readonly fs: typeof import('node:fs/promises');
  readonly path: typeof import('node:path');
  readonly crypto: typeof import('node:crypto');
  /** This machine or container. */
  readonly host: string;
  readonly pid: number;
  readonly threadId: number;
  isRunning(pid: number): boolean;
}

/** Node's file system, or an error that says that there is none. */
export function platform(): Platform {
  const { process } = globalThis;
  const fs = process?.getBuiltinModule?.('node:fs/promises');
  if (!fs) {
    throw new HubError(
      'hub: downloads are kept in files, which need Node 20.16 or later: here there is no file system; ' +
        'in a browser fetch the files of the model, and give fromPretrained a Map of them by name',
    );
  }
  return {
    fs,
    path: process.getBuiltinModule('node:path'),
    crypto: process.getBuiltinModule('node:crypto'),
    host: process.getBuiltinModule('node:os').hostname(),
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
    return (error as NodeJS.ErrnoException).code === 'EPERM'; // somebody else's process
  }
}

/** Whether there is a file or a folder at `path`; false where there is no file system. */
export async function isThere(path: string): Promise<boolean> {
  const fs = globalThis.process?.getBuiltinModule?.('node:fs/promises');
  return (await fs?.stat(path).catch(() => undefined)) !== undefined;
}

/** Options, and where they are silent the variables that huggingface_hub for Python reads. */
export async function resolveSettings(options: HubOptions): Promise<HubSettings> {
  const { fs, path } = platform();
  const variable = (name: string) => globalThis.process.env[name] || undefined;
  const { homedir } = globalThis.process.getBuiltinModule('node:os');
  const home =
    variable('HF_HOME') ?? path.join(variable('XDG_CACHE_HOME') ?? path.join(homedir(), '.cache'), 'huggingface');
  const storedToken = () =>
    fs.readFile(variable('HF_TOKEN_PATH') ?? path.join(home, 'token'), 'utf8').then(
      (text) => text.trim() || null,
      () => null,
    );
  const offline = [variable('HF_HUB_OFFLINE'), variable('TRANSFORMERS_OFFLINE')];
  return {
    revision: options.revision ?? 'main',
    endpoint: (options.endpoint ?? variable('HF_ENDPOINT') ?? 'https://huggingface.co').replace(/\/+$/, ''),
    token: options.token ?? variable('HF_TOKEN') ?? (await storedToken()),
    cacheFolder:
      options.cacheFolder ?? variable('HF_HUB_CACHE') ?? variable('HUGGINGFACE_HUB_CACHE') ?? path.join(home, 'hub'),
    offline: options.offline ?? offline.some((value) => /^(1|on|yes|true)$/i.test(value ?? '')),
  };
}
