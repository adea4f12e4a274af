import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** A repository of {@link HubServer}: its files, and which commit each branch or tag is. */
export interface HubRepository {
  files: Record<string, Uint8Array | string>;
  revisions: Record<string, string>; // branch or tag to commit
  /** Without it, 401. */
  token?: string;
}

/** A server on this machine that speaks the routes of the Hugging Face hub that loading a model needs. */
export class HubServer {
  readonly repositories = new Map<string, HubRepository>();
  /** `METHOD path range` of each request. */
  readonly requests: string[] = [];
  /** Breaks the connection once so many bytes of a file were sent. */
  breakAfter = Number.POSITIVE_INFINITY;
  /** Sends other bytes than it says. */
  corrupt = false;
  readonly #server = createServer((request, response) => this.#answer(request, response));

  /** Starts listening; returns the address for `HF_ENDPOINT`. */
  async start(): Promise<string> {
    await new Promise<void>((ready) => this.#server.listen(0, '127.0.0.1', ready));
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((closed) => this.#server.close(closed));
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    const url = new URL(request.url!, 'http://hub');
    this.requests.push(`${request.method} ${url.pathname} ${request.headers.range ?? ''}`.trim());
    const [, name, route, revision, path] =
      /^(?:\/api\/models)?\/([^/]+\/[^/]+)\/(revision|tree|resolve)\/([^/]+)(?:\/(.+))?$/.exec(
        decodeURIComponent(url.pathname),
      ) ?? [];
    const repository = this.repositories.get(name ?? '');
    const commit = repository && commitOf(repository, revision!);
    const file = repository?.files[path ?? ''];
    if (repository?.token && request.headers.authorization !== `Bearer ${repository.token}`) {
      send(response, 401, { error: 'Invalid credentials in Authorization header' });
    } else if (!repository || !commit) send(response, 404, { error: 'Repository not found' });
    else if (route === 'revision') send(response, 200, { _id: '1', id: name, sha: commit, lastModified: 0 });
    else if (route === 'tree') send(response, 200, Object.entries(repository.files).map(entryOf));
    else if (file !== undefined) this.#sendFile(request, response, bytesOf(file), commit);
    else send(response, 404, { error: 'Entry not found' }, { 'X-Error-Code': 'EntryNotFound' });
  }

  #sendFile(request: IncomingMessage, response: ServerResponse, bytes: Buffer, commit: string): void {
    const [, from, to] = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '') ?? [];
    const start = Number(from ?? 0);
    const end = Math.min(bytes.length, to ? Number(to) + 1 : bytes.length);
    response.writeHead(from === undefined ? 200 : 206, {
      ...{ 'Content-Length': end - start, 'Content-Range': `bytes ${start}-${end - 1}/${bytes.length}` },
      ...{ 'Accept-Ranges': 'bytes', 'X-Repo-Commit': commit },
      ...{ ETag: `"${gitHash(bytes)}"`, 'X-Linked-ETag': `"${sha256(bytes)}"`, 'X-Linked-Size': bytes.length },
    });
    const body = Buffer.from(bytes.subarray(start, end));
    if (this.corrupt && body.length > 1) body[0]! ^= 1;
    if (body.length <= this.breakAfter) response.end(body);
    else response.write(body.subarray(0, this.breakAfter), () => response.destroy());
  }
}

function commitOf({ revisions }: HubRepository, revision: string): string | undefined {
  return revisions[revision] ?? Object.values(revisions).find((commit) => commit === revision);
}

/** Files of more than 1000 bytes are kept as git-lfs does. */
function entryOf([path, content]: [string, Uint8Array | string]) {
  const bytes = bytesOf(content);
  const entry = { type: 'file', path, size: bytes.length, oid: gitHash(bytes) };
  return bytes.length > 1000 ? { ...entry, lfs: { oid: sha256(bytes), size: bytes.length, pointerSize: 134 } } : entry;
}

function bytesOf(content: Uint8Array | string): Buffer {
  return Buffer.from(content);
}

function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function gitHash(bytes: Uint8Array): string {
  return createHash('sha1').update(`blob ${bytes.length}\0`).update(bytes).digest('hex');
}

function send(response: ServerResponse, status: number, body: object, headers: Record<string, string> = {}): void {
  response.writeHead(status, { 'Content-Type': 'application/json', ...headers });
  response.end(JSON.stringify(body));
}
