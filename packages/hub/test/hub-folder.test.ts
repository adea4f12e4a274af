import { createHash } from 'node:crypto';
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { HubError, hubFolder } from '@burin/hub';
import { HubServer } from '@burin/testing/hub';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

const COMMIT = '1234567890'.repeat(4);
const OLDER = 'abcdef1234'.repeat(4);
const NAME = 'tiny/llama';
const WEIGHTS = Uint8Array.from({ length: 50_000 }, (_, i) => (i * 7) % 251);

let hub: HubServer;
let cacheFolder: string;
let endpoint: string;

beforeEach(async () => {
  cacheFolder = mkdtempSync(join(tmpdir(), 'burin-hub-'));
  hub = new HubServer();
  endpoint = await hub.start();
  hub.repositories.set(NAME, {
    files: {
      'config.json': '{"model_type": "llama"}',
      'tokenizer.json': '{}',
      'README.md': '# not needed',
      'model.safetensors': WEIGHTS,
      'pytorch_model.bin': 'pickle',
      'onnx/model.onnx': 'not needed',
    },
    revisions: { main: COMMIT, 'v1.0': OLDER },
  });
});

afterEach(async () => {
  await hub.stop();
  rmSync(cacheFolder, { recursive: true, force: true });
  vi.unstubAllEnvs();
});

const load = (options = {}) => hubFolder(NAME, { endpoint, cacheFolder, ...options });
const repositoryFolder = () => join(cacheFolder, 'models--tiny--llama');

describe('a name of the hub', () => {
  it('is downloaded into the layout of huggingface_hub, what is needed only', async () => {
    const folder = await load();
    expect(folder).toBe(join(repositoryFolder(), 'snapshots', COMMIT));
    expect(readdirSync(folder).sort()).toEqual(['config.json', 'model.safetensors', 'tokenizer.json']);
    expect(readFileSync(`${folder}/model.safetensors`).equals(WEIGHTS)).toBe(true);
    expect(readFileSync(join(repositoryFolder(), 'refs/main'), 'utf8')).toBe(COMMIT);
    expect(lstatSync(`${folder}/config.json`).isSymbolicLink()).toBe(true);
    const blobs = readdirSync(join(repositoryFolder(), 'blobs'));
    expect(blobs.map((name) => name.length).sort()).toEqual([40, 40, 64]); // git's SHA-1, and SHA-256 of the large one
  });

  it('is not downloaded twice, and not at all offline', async () => {
    const folder = await load();
    const asked = hub.requests.length;
    await load();
    expect(hub.requests.slice(asked).filter((request) => request.includes('/resolve/'))).toEqual([]);
    await hub.stop();
    expect(await load({ offline: true })).toBe(folder);
    expect(await load({ offline: true, revision: COMMIT })).toBe(folder);
    await expect(load({ offline: true, revision: 'v1.0' })).rejects.toThrow(
      new HubError(
        `${NAME}: offline, a model must be in the cache: expected revision v1.0 in ${repositoryFolder()}, got none; ` +
          'load it once without HF_HUB_OFFLINE, or give the path of a local folder',
      ),
    );
  });

  it('may have a revision, which shares what it has in common', async () => {
    await load();
    const blobs = readdirSync(join(repositoryFolder(), 'blobs')).length;
    const folder = await load({ revision: 'v1.0' });
    expect(folder.endsWith(OLDER)).toBe(true);
    expect(readFileSync(join(repositoryFolder(), 'refs/v1.0'), 'utf8')).toBe(OLDER);
    expect(readdirSync(join(repositoryFolder(), 'blobs'))).toHaveLength(blobs);
  });

  it('may be an adapter', async () => {
    hub.repositories.get(NAME)!.files = { 'adapter_config.json': '{}', 'adapter_model.safetensors': WEIGHTS };
    expect(readdirSync(await load()).sort()).toEqual(['adapter_config.json', 'adapter_model.safetensors']);
  });

  it('may be in shards', async () => {
    const { files } = hub.repositories.get(NAME)!;
    delete files['model.safetensors'];
    files['model.safetensors.index.json'] = '{"weight_map": {}}';
    files['model-00001-of-00002.safetensors'] = WEIGHTS;
    files['model-00002-of-000002.safetensors'] = '{}';
    expect(readdirSync(await load())).toEqual(
      expect.arrayContaining(Object.keys(files).filter((name) => /^model-/.test(name))),
    );
  });

  it('takes what the environment says', async () => {
    const home = join(cacheFolder, 'home');
    vi.stubEnv('HF_ENDPOINT', `${endpoint}/`);
    vi.stubEnv('HF_HOME', home);
    vi.stubEnv('HF_TOKEN', 'a token of a mirror');
    hub.repositories.get(NAME)!.token = 'a token of a mirror';
    const folder = await hubFolder(NAME);
    expect(folder).toBe(join(home, 'hub/models--tiny--llama/snapshots', COMMIT));
    vi.stubEnv('HF_HUB_OFFLINE', '1');
    const asked = hub.requests.length;
    expect(await hubFolder(NAME)).toBe(folder);
    expect(hub.requests).toHaveLength(asked);
    vi.stubEnv('HF_HUB_CACHE', join(cacheFolder, 'elsewhere'));
    await expect(hubFolder(NAME)).rejects.toThrow(join(cacheFolder, 'elsewhere', 'models--tiny--llama'));
  });

  it('reads the token that was stored when logging in', async () => {
    hub.repositories.get(NAME)!.token = 'hf_stored';
    vi.stubEnv('HF_TOKEN', '');
    vi.stubEnv('HF_TOKEN_PATH', join(cacheFolder, 'token'));
    writeFileSync(join(cacheFolder, 'token'), 'hf_stored\n');
    expect(existsSync(`${await load()}/config.json`)).toBe(true);
  });
});

describe('a download that is interrupted', () => {
  it('leaves nothing that is taken for the file, and goes on where it stopped', async () => {
    hub.breakAfter = 30_000;
    await expect(load()).rejects.toThrow(
      /^tiny\/llama at http.*: the download failed: .*; try again, and it goes on where it stopped, or set HF_HUB_OFFLINE=1/,
    );
    const snapshot = join(repositoryFolder(), 'snapshots', COMMIT);
    expect(existsSync(join(snapshot, 'model.safetensors'))).toBe(false);
    await expect(load({ offline: true })).rejects.toThrow('a model must be in the cache'); // no ref yet
    hub.breakAfter = Number.POSITIVE_INFINITY;
    hub.requests.length = 0;
    expect(readFileSync(`${await load()}/model.safetensors`).equals(WEIGHTS)).toBe(true);
    const ranges = hub.requests.filter((request) => /model\.safetensors bytes=[1-9]/.test(request));
    expect(ranges).toHaveLength(1);
    expect(readdirSync(join(repositoryFolder(), 'blobs')).some((name) => name.endsWith('.incomplete'))).toBe(false);
  });

  it.each([
    ['another machine that shares the cache', `another-host.${process.pid}-0-0`],
    ['another thread', `${hostname()}.${process.pid}-99-0`],
  ])('by %s is left alone while it goes on there', async (_, owner) => {
    const etag = createHash('sha256').update(WEIGHTS).digest('hex');
    const leftover = join(repositoryFolder(), 'blobs', `${etag}.${owner}.incomplete`);
    mkdirSync(join(repositoryFolder(), 'blobs'), { recursive: true });
    writeFileSync(leftover, WEIGHTS.subarray(0, 30_000));
    await load();
    expect(readFileSync(leftover)).toHaveLength(30_000);
    rmSync(join(repositoryFolder(), 'snapshots'), { recursive: true });
    rmSync(join(repositoryFolder(), 'blobs', etag));
    utimesSync(leftover, 0, 0);
    hub.requests.length = 0;
    expect(readFileSync(`${await load()}/model.safetensors`).equals(WEIGHTS)).toBe(true);
    expect(hub.requests.filter((request) => /model\.safetensors bytes=[1-9]/.test(request))).toHaveLength(1);
    expect(existsSync(leftover)).toBe(false);
  });

  it('is refused where other bytes come than the hub named, and leaves none of them', async () => {
    hub.corrupt = true;
    await expect(load()).rejects.toThrow(
      /config\.json: what was downloaded must have the hash that the hub names: expected [0-9a-f]{40}, got [0-9a-f]{40}; try again/,
    );
    expect(readdirSync(join(repositoryFolder(), 'blobs'))).toEqual([]);
  });

  it('does not disturb another one of the same process', async () => {
    const folders = await Promise.all([load(), load(), load({ revision: 'v1.0' })]);
    for (const folder of folders) expect(readFileSync(`${folder}/model.safetensors`).equals(WEIGHTS)).toBe(true);
  });
});

describe('what cannot be had says why, and what to do', () => {
  it('without the right token', async () => {
    hub.repositories.get(NAME)!.token = 'hf_right';
    vi.stubEnv('HF_TOKEN', '');
    vi.stubEnv('HF_HOME', cacheFolder);
    await expect(load()).rejects.toThrow(
      new HubError(
        `${NAME} at ${endpoint}: access is refused (401): set HF_TOKEN if it is private or gated, and check its name`,
      ),
    );
    await expect(load({ token: 'hf_wrong' })).rejects.toThrow('the token that was sent may not read it');
  });

  it('where the repository or the revision is not there', async () => {
    await expect(hubFolder('tiny/none', { endpoint, cacheFolder })).rejects.toThrow(
      `tiny/none at ${endpoint}: there is no such model, or no revision main; check the name, or set HF_TOKEN`,
    );
    await expect(load({ revision: 'v9' })).rejects.toThrow('there is no such model, or no revision v9');
    expect(existsSync(repositoryFolder())).toBe(false);
  });

  it('where there are no safetensors', async () => {
    const { files } = hub.repositories.get(NAME)!;
    delete files['model.safetensors'];
    await expect(load()).rejects.toThrow(
      `${NAME}: it must hold weights as safetensors: got PyTorch's pickle format (.bin), which can run code when it is read`,
    );
    delete files['pytorch_model.bin'];
    await expect(load()).rejects.toThrow(
      `${NAME}: it must hold weights as safetensors: expected model.safetensors, got "config.json", "tokenizer.json"`,
    );
  });

  it('where nobody answers', async () => {
    await hub.stop();
    await expect(load()).rejects.toThrow(/the download failed: .*ECONNREFUSED/);
    hub = new HubServer();
    await hub.start();
  });

  it('in a browser', async () => {
    vi.stubGlobal('process', undefined);
    const loading = hubFolder(NAME, { endpoint, cacheFolder }).catch((error: unknown) => error);
    const error = (await loading) as Error;
    vi.unstubAllGlobals();
    expect(error.message).toBe(
      'hub: downloads are kept in files, which need Node 20.16 or later: here there is no file system; ' +
        'in a browser fetch the files of the model, and give fromPretrained a Map of them by name',
    );
  });

  it('where the package is not installed, and a folder needs none', async () => {
    vi.resetModules();
    vi.doMock('@huggingface/hub', () => {
      throw new Error('Cannot find package');
    });
    const { hubFolder: withoutPeer } = await import('@burin/hub');
    await expect(withoutPeer(NAME, { endpoint, cacheFolder })).rejects.toThrow(
      `${NAME}: a model of the hub is fetched by the package @huggingface/hub, which is not installed: ` +
        'run npm install @huggingface/hub, or give the path of a local folder, which needs no package',
    );
    expect(await withoutPeer(cacheFolder)).toBe(cacheFolder);
    vi.doUnmock('@huggingface/hub');
  });
});

describe('what is no name of the hub', () => {
  it('is left as it is', async () => {
    for (const path of [cacheFolder, './models/none', '/none', 'a/b/c', '../x/y', 'C:\\models']) {
      expect(await hubFolder(path)).toBe(path);
    }
    expect(await hubFolder('node_modules')).toBe('node_modules'); // a folder that is there, wherever tests are started
    expect(hub.requests).toEqual([]);
  });
});
