import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromPretrained, LlamaForCausalLM } from '@burin/models';
import { EXACT, expectClose } from '@burin/testing';
import { HubServer } from '@burin/testing/hub';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { ids, logitsOf, tinyLlama } from './support.js';

const hub = new HubServer();
const folder = mkdtempSync(join(tmpdir(), 'burin-models-hub-'));

beforeAll(async () => {
  vi.stubEnv('HF_ENDPOINT', await hub.start());
  vi.stubEnv('HF_HOME', join(folder, 'home'));
});

afterAll(async () => {
  vi.unstubAllEnvs();
  await hub.stop();
  rmSync(folder, { recursive: true, force: true });
});

it.each([
  ['one file', {}],
  ['shards', { maxShardBytes: 9000 }],
])('fromPretrained takes a name of the hub, with weights in %s, and the cache offline', async (name, options) => {
  const model = tinyLlama();
  await model.savePretrained(join(folder, name), options);
  const files = readdirSync(join(folder, name)).map((file) => [file, readFileSync(join(folder, name, file))]);
  const commit = '0123456789'.repeat(4);
  const repository = `tiny/${name.replace(' ', '-')}`;
  hub.repositories.set(repository, { files: Object.fromEntries(files), revisions: { main: commit, v2: commit } });
  const expected = await logitsOf(model.eval(), ids([1, 2, 3]));
  expectClose(await logitsOf(await LlamaForCausalLM.fromPretrained(repository), ids([1, 2, 3])), expected, EXACT);
  const asked = hub.requests.length;
  vi.stubEnv('HF_HUB_OFFLINE', '1');
  const cached = (await fromPretrained(repository)) as LlamaForCausalLM;
  expectClose(await logitsOf(cached, ids([1, 2, 3])), expected, EXACT);
  expect(hub.requests).toHaveLength(asked);
  await expect(fromPretrained(repository, { revision: 'v2' })).rejects.toThrow('expected revision v2 in');
  vi.stubEnv('HF_HUB_OFFLINE', '');
  await fromPretrained(repository, { revision: 'v2' });
});
