import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  bytesSource,
  CheckpointError,
  openCheckpoint,
  type TensorToWrite,
  writeCheckpoint,
  writeSafetensors,
} from '@burin/checkpoint';
import { describe, expect, it } from 'vitest';
import { guardedSource, temporaryFolder } from './helpers.js';

const tensor = (name: string, length: number, fill: number) =>
  ({ name, dtype: 'U8', shape: [length], data: new Uint8Array(length).fill(fill) }) as const;
const three = [tensor('embed', 60, 1), tensor('layer', 50, 2), tensor('head', 100, 3)];
const SHARDS = [
  'model-00001-of-00003.safetensors',
  'model-00002-of-00003.safetensors',
  'model-00003-of-00003.safetensors',
];
const INDEX = 'model.safetensors.index.json';

/** A sharded checkpoint of files in memory; `map` is its index's weight_map. */
function picked(map: unknown, shards: Record<string, TensorToWrite[]> = { a: [three[0]!], b: [three[1]!] }) {
  const sources = new Map([
    [INDEX, guardedSource(new TextEncoder().encode(JSON.stringify({ weight_map: map })), INDEX)],
  ]);
  for (const [name, tensors] of Object.entries(shards)) {
    sources.set(name, guardedSource(writeSafetensors(tensors as (typeof three)[number][]), name));
  }
  return sources;
}

describe('a part of a tensor', () => {
  const counting = {
    name: 'count',
    dtype: 'U8',
    shape: [9],
    data: Uint8Array.from({ length: 9 }, (_, i) => i),
  } as const;

  it('is read by its own range, in one file and in shards', async () => {
    for (const checkpoint of [
      await openCheckpoint(new Map([['model.safetensors', bytesSource(writeSafetensors([counting, ...three]))]])),
      await openCheckpoint(picked({ count: 'a', embed: 'b' }, { a: [counting], b: [three[0]!] })),
    ]) {
      expect([...(await checkpoint.read('count', { offset: 2, length: 3 }))]).toEqual([2, 3, 4]);
      expect(await checkpoint.read('count', { offset: 9, length: 0 })).toHaveLength(0);
      expect(await checkpoint.read('embed', { offset: 59, length: 1 })).toEqual(new Uint8Array([1]));
    }
  });

  it('must lie inside the tensor', async () => {
    const source = bytesSource(writeSafetensors([counting, ...three]), 'f');
    const checkpoint = await openCheckpoint(new Map([['model.safetensors', source]]));
    await expect(checkpoint.read('count', { offset: 8, length: 2 })).rejects.toThrow(
      new CheckpointError('f: count: a read must lie inside: expected a range within 0 and 9, got 2 bytes from 8'),
    );
  });
});

describe('writeCheckpoint, then openCheckpoint', () => {
  it('keeps a small checkpoint in one file', async () => {
    const folder = await temporaryFolder();
    const files = await writeCheckpoint(folder, three);
    expect(await readdir(folder)).toEqual(['model.safetensors']);
    expect(files.map(({ path }) => path)).toEqual([join(folder, 'model.safetensors')]);
    expect(files[0]!.byteLength).toBe((await readFile(files[0]!.path)).length);
    const opened = await openCheckpoint(folder);
    expect(opened.metadata).toEqual({ format: 'pt' });
    expect(await opened.read('layer')).toEqual(new Uint8Array(50).fill(2));
    await opened.close();
  });

  it.each([
    [60, SHARDS, ['embed', 'layer', 'head']],
    [109, SHARDS, ['embed', 'layer', 'head']],
    [110, ['model-00001-of-00002.safetensors', 'model-00002-of-00002.safetensors'], ['embed,layer', 'head']],
  ])('splits in the order given at %i bytes', async (maxShardBytes, names, contents) => {
    const folder = await temporaryFolder();
    const files = await writeCheckpoint(folder, three, { maxShardBytes });
    expect(await readdir(folder)).toEqual([...names, INDEX]);
    expect(
      files.map(({ tensors }) =>
        tensors
          .map(({ name }) => name)
          .sort()
          .join(),
      ),
    ).toEqual(contents);
    const opened = await openCheckpoint(folder);
    expect([...opened.tensors.keys()].sort()).toEqual(['embed', 'head', 'layer']);
    for (const { name, data } of three) expect(await opened.read(name)).toEqual(data);
    await opened.close();
  });

  it('writes the index as Hugging Face does', async () => {
    const folder = await temporaryFolder();
    await writeCheckpoint(folder, three, { maxShardBytes: 110 });
    expect(await readFile(join(folder, INDEX), 'utf8')).toBe(`{
  "metadata": {
    "total_size": 210
  },
  "weight_map": {
    "embed": "model-00001-of-00002.safetensors",
    "head": "model-00002-of-00002.safetensors",
    "layer": "model-00001-of-00002.safetensors"
  }
}
`);
  });

  it('removes what an earlier save left, and nothing else', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'config.json'), '{}');
    await writeFile(join(folder, 'adapter_model.safetensors'), 'kept');
    await writeCheckpoint(folder, three, { maxShardBytes: 60 });
    await writeCheckpoint(folder, three, { maxShardBytes: 110 });
    const others = ['adapter_model.safetensors', 'config.json'];
    expect(await readdir(folder)).toEqual([
      ...others,
      'model-00001-of-00002.safetensors',
      'model-00002-of-00002.safetensors',
      INDEX,
    ]);
    await writeCheckpoint(folder, three);
    expect(await readdir(folder)).toEqual([...others, 'model.safetensors']);
    await writeCheckpoint(folder, three, { maxShardBytes: 60 });
    expect(await readdir(folder)).toEqual([...others, ...SHARDS, INDEX]);
  });

  it('fetches lazy tensors one at a time', async () => {
    const folder = await temporaryFolder();
    const log: string[] = [];
    const fetch = async (given: (typeof three)[number]) => {
      log.push(given.name);
      return given.data;
    };
    const lazy = three.map((given) => ({ ...given, data: () => fetch(given) }));
    await writeCheckpoint(folder, lazy, { maxShardBytes: 110 });
    expect(log).toEqual(['embed', 'layer', 'head']);
  });

  it('refuses a name that comes twice in different shards, and a size that is not one', async () => {
    const folder = await temporaryFolder();
    await expect(writeCheckpoint(folder, [three[0]!, three[0]!], { maxShardBytes: 60 })).rejects.toThrow(
      new CheckpointError(`${folder}: embed: a tensor's name must be unique: got it twice`),
    );
    await expect(writeCheckpoint(folder, [], { maxShardBytes: Number.NaN })).rejects.toThrow(
      new RangeError('writeCheckpoint: maxShardBytes must be greater than 0, got NaN'),
    );
    expect(await readdir(folder)).toEqual([]);
  });
});

describe('openCheckpoint', () => {
  it('reads headers, then only the tensor that is asked for', async () => {
    const sources = picked({ embed: 'a', layer: 'b' });
    const opened = await openCheckpoint(sources);
    const before = [...sources.values()].map(({ reads }) => reads.length);
    await opened.read('layer');
    const after = [...sources.values()].map(({ reads }) => reads.length);
    expect(after).toEqual([before[0], before[1], before[2]! + 1]);
    expect(sources.get('b')!.reads.at(-1)!.length).toBe(50);
    await opened.close();
    expect([...sources.values()].map(({ closed }) => closed)).toEqual([1, 1, 1]);
  });

  it('prefers model.safetensors', async () => {
    const sources = new Map([
      ['model.safetensors', bytesSource(writeSafetensors(three))],
      [INDEX, bytesSource(new Uint8Array(0))],
    ]);
    expect((await openCheckpoint(sources)).tensors.size).toBe(3);
  });

  it.each<[what: string, map: unknown, message: string]>([
    [
      'no weight_map',
      undefined,
      `files/${INDEX}: weight_map must be an object of tensor name to file name: got undefined`,
    ],
    [
      'a weight_map that is a list',
      ['a'],
      `files/${INDEX}: weight_map must be an object of tensor name to file name: got ["a"]`,
    ],
    [
      'a file that is not text',
      { embed: 1 },
      `files/${INDEX}: embed: weight_map must name a file of the same folder: expected a name such as model-00001-of-00002.safetensors, got 1`,
    ],
    [
      'a file elsewhere',
      { embed: '../a' },
      `files/${INDEX}: embed: weight_map must name a file of the same folder: expected a name such as model-00001-of-00002.safetensors, got "../a"`,
    ],
    [
      'the folder above',
      { embed: '..' },
      `files/${INDEX}: embed: weight_map must name a file of the same folder: expected a name such as model-00001-of-00002.safetensors, got ".."`,
    ],
    [
      'a shard that is not there',
      { embed: 'a', layer: 'c' },
      `files/${INDEX}: every shard must be there: expected c, got none; fetch it again`,
    ],
    [
      'a tensor that is not there',
      { embed: 'a', layer: 'b', extra: 'b' },
      `files/${INDEX}: extra: a tensor must be in its shard: expected it in b, got none`,
    ],
    [
      'a tensor that is not listed',
      { layer: 'b', other: 'a' },
      `files/${INDEX}: embed: weight_map must list what the shards hold: expected a, got no entry`,
    ],
    [
      'a tensor that is listed elsewhere',
      { layer: 'b', embed: 'b', other: 'a' },
      `files/${INDEX}: embed: weight_map must list what the shards hold: expected a, got b`,
    ],
  ])('refuses an index with %s, and closes all', async (_what, map, message) => {
    const sources = picked(map);
    await expect(openCheckpoint(sources)).rejects.toThrow(new CheckpointError(message));
    for (const { reads, closed } of sources.values()) expect(closed).toBe(reads.length > 0 ? 1 : 0);
  });

  it('refuses an index that is not JSON, or holds a tensor twice', async () => {
    const index = (text: string) => new Map([[INDEX, bytesSource(new TextEncoder().encode(text))]]);
    await expect(openCheckpoint(index('{'))).rejects.toThrow(`files/${INDEX} must be JSON: `);
    await expect(openCheckpoint(index('{"weight_map":{"w":"a","w":"b"}}'))).rejects.toThrow(
      `files/${INDEX} must hold each key once: expected no duplicate, got "w" twice`,
    );
  });

  it('says how to convert pickles', async () => {
    const folder = await temporaryFolder();
    await writeFile(join(folder, 'pytorch_model-00001-of-00002.bin'), '');
    const opening = openCheckpoint(folder);
    await expect(opening).rejects.toBeInstanceOf(CheckpointError);
    await expect(opening).rejects.toThrow(
      `openCheckpoint: ${folder} must hold weights: expected model.safetensors or ${INDEX}, got PyTorch's pickle format (.bin), ` +
        `which can run code when it is read; convert it, in that folder: python3 -c "import glob, torch; `,
    );
  });

  it('lists what is there when there are no weights', async () => {
    const folder = await temporaryFolder();
    await expect(openCheckpoint(folder)).rejects.toThrow(`expected model.safetensors or ${INDEX}, got an empty folder`);
    await writeFile(join(folder, 'config.json'), '{}');
    await mkdir(join(folder, 'onnx'));
    await expect(openCheckpoint(folder)).rejects.toThrow(`${INDEX}, got config.json, onnx`);
    await expect(openCheckpoint(join(folder, 'none'))).rejects.toThrow(
      new CheckpointError(`listFolder: cannot list ${join(folder, 'none')}: there is none; check the path (ENOENT)`),
    );
  });
});
