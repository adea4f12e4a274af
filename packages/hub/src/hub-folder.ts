import { download } from './download.js';
import { HubError } from './errors.js';
import { neededFiles, type RemoteFile } from './needed-files.js';
import type { HubOptions, HubSettings } from './options.js';
import { type Hub, loadHub } from './peer.js';
import { isThere, resolveSettings } from './platform.node.js';
import { COMMIT, RepositoryCache } from './repository-cache.js';

/** `name` or `organisation/name`, as the hub allows them. */
const REPOSITORY = /^(?=[^/]{1,96}(\/[^/]{1,96})?$)[A-Za-z0-9][\w.-]*(\/[A-Za-z0-9][\w.-]*)?$/;

/**
 * The folder of a model: `nameOrFolder` itself if it is there or cannot be a name of the hub, else the model of this name on the Hugging Face hub, in
 * the cache that Python's huggingface_hub shares. Of a repository only what a model is loaded from is downloaded, once:
 * configurations, tokenizer and safetensors.
 *
 * A local folder needs no package; the hub needs `@huggingface/hub`.
 *
 * @param nameOrFolder - a path, or `organisation/name`
 * @throws HubError if there is no such repository, a token is needed, the hub does not answer, the
 *   package is not installed, there are no safetensors, or, offline, the model is not in the cache
 * @example
 * const folder = await hubFolder('HuggingFaceTB/SmolLM2-135M', { revision: 'main' });
 */
export async function hubFolder(nameOrFolder: string, options: HubOptions = {}): Promise<string> {
  if (!isRepository(nameOrFolder) || (await isThere(nameOrFolder))) return nameOrFolder;
  const settings = await resolveSettings(options);
  const cache = new RepositoryCache(settings.cacheFolder, nameOrFolder);
  if (settings.offline) return cachedFolder(nameOrFolder, cache, settings);
  return fetchFolder(nameOrFolder, cache, settings, await loadHub(nameOrFolder));
}

function isRepository(name: string): boolean {
  return REPOSITORY.test(name) && !/--|\.\./.test(name);
}

async function cachedFolder(repository: string, cache: RepositoryCache, settings: HubSettings): Promise<string> {
  const commit = await cache.commitOf(settings.revision);
  if (commit !== null && (await isThere(cache.snapshot(commit)))) return cache.snapshot(commit);
  throw new HubError(
    `${repository}: offline, a model must be in the cache: expected revision ${settings.revision} in ${cache.folder}, ` +
      'got none; load it once without HF_HUB_OFFLINE, or give the path of a local folder',
  );
}

async function fetchFolder(
  repository: string,
  cache: RepositoryCache,
  settings: HubSettings,
  hub: Hub,
): Promise<string> {
  const { revision, endpoint } = settings;
  const request = { hubUrl: endpoint, fetch: authorizedFetch(settings) };
  try {
    const { sha } = await hub.modelInfo({ ...request, name: repository, revision, additionalFields: ['sha'] });
    if (!COMMIT.test(sha)) throw new HubError(`${repository}: the hub must name a commit, got ${JSON.stringify(sha)}`);
    const files = neededFiles(repository, await listFiles(hub, repository, { ...request, revision: sha }));
    for (const file of files) {
      await download(cache, sha, file, async ({ path }) => {
        const blob = await hub.downloadFile({ ...request, repo: repository, path, revision: sha });
        if (!blob)
          throw new HubError(`${repository}: ${path}: the hub lists this file and does not have it; try again`);
        return blob;
      });
    }
    await cache.setCommit(revision, sha);
    return cache.snapshot(sha);
  } catch (cause) {
    throw explain(repository, settings, cause);
  }
}

interface ListRequest {
  hubUrl: string;
  fetch: typeof fetch;
  revision: string;
}

async function listFiles(hub: Hub, repo: string, request: ListRequest): Promise<RemoteFile[]> {
  const files: RemoteFile[] = [];
  for await (const { type, path, size, oid, lfs } of hub.listFiles({ ...request, repo })) {
    if (type === 'file') files.push({ path, size: lfs?.size ?? size, etag: hashName(path, lfs?.oid ?? oid) });
  }
  return files;
}

/** A hash becomes the name of a file: nothing else is let in. */
function hashName(path: string, hash: string | undefined): string {
  if (hash !== undefined && /^([0-9a-f]{40}|[0-9a-f]{64})$/.test(hash)) return hash;
  throw new HubError(`${path}: the hub must name the file's hash: expected 40 or 64 digits, got ${String(hash)}`);
}

/** Sends the token to the hub's own address and to no other. */
function authorizedFetch({ endpoint, token }: HubSettings): typeof fetch {
  const { origin } = new URL(endpoint);
  return (input, init = {}) => {
    const headers = new Headers(init.headers);
    const url = new URL(input instanceof Request ? input.url : input);
    if (token !== null && url.origin === origin) headers.set('Authorization', `Bearer ${token}`);
    return fetch(input, { ...init, headers });
  };
}

function explain(repository: string, { revision, endpoint, token }: HubSettings, cause: unknown): Error {
  if (cause instanceof HubError) return cause;
  const { statusCode, message } = cause as { statusCode?: number; message: string };
  const who = `${repository} at ${endpoint}`;
  if (statusCode === 401 || statusCode === 403) {
    const remedy = token
      ? 'the token that was sent may not read it: accept its conditions on its page, or take another token'
      : 'set HF_TOKEN if it is private or gated, and check its name';
    return new HubError(`${who}: access is refused (${statusCode}): ${remedy}`, { cause });
  }
  if (statusCode === 404) {
    return new HubError(`${who}: there is no such model, or no revision ${revision}; check the name, or set HF_TOKEN`, {
      cause,
    });
  }
  const reason = ((cause as Error).cause as Error | undefined)?.message ?? message;
  return new HubError(
    `${who}: the download failed: ${reason}; try again, and it goes on where it stopped, or set HF_HUB_OFFLINE=1 to ` +
      'take what is in the cache',
    { cause },
  );
}
