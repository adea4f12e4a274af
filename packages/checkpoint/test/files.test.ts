import { mkdir, readdir, readFile, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  CheckpointError,
  exists,
  fileSource,
  listFolder,
  makeFolder,
  openCheckpoint,
  readJsonFile,
  readTextFile,
  recoverFolder,
  removeFolder,
  renameFolder,
  writeFileAtomic,
  writeFolderAtomic,
  writeSafetensorsFile,
} from '@burin/checkpoint';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { temporaryFolder } from './helpers.js';

/** A number that no process has: Linux counts to 2^22. */
const NOBODY = 2 ** 22 + 1;

const read = (path: string) => readFile(path, 'utf8');
const problem = (message: string) => new CheckpointError(message);

describe('small files', () => {
  it('are written and read', async () => {
    const folder = await temporaryFolder();
    await makeFolder(join(folder, 'a/b'));
    await makeFolder(join(folder, 'a/b'));
    await writeFileAtomic(join(folder, 'a/b/config.json'), '{"é":1}');
    expect(await readTextFile(join(folder, 'a/b/config.json'))).toBe('{"é":1}');
    expect(await readJsonFile(join(folder, 'a/b/config.json'))).toEqual({ é: 1 });
    expect(await exists(join(folder, 'a/b'))).toBe(true);
    expect(await exists(join(folder, 'a/b/config.json/c'))).toBe(false);
    await removeFolder(join(folder, 'a'));
    await removeFolder(join(folder, 'a'));
    expect(await exists(join(folder, 'a'))).toBe(false);
  });

  it('are listed in order, without what is being written', async () => {
    const folder = await temporaryFolder();
    for (const name of ['b', 'a', '.hidden', `.b.${NOBODY}-0-0.burin-new`]) await writeFile(join(folder, name), '');
    expect(await listFolder(folder)).toEqual(['.hidden', 'a', 'b']);
  });

  it('say which path and what to do', async () => {
    const folder = await temporaryFolder();
    const none = join(folder, 'none');
    await writeFile(join(folder, 'bad.json'), '{');
    await expect(readTextFile(none)).rejects.toThrow(
      problem(`readTextFile: cannot read ${none}: there is none; check the path (ENOENT)`),
    );
    await expect(readTextFile(folder)).rejects.toThrow(
      problem(`readTextFile: cannot read ${folder}: it is a folder; give the path of a file (EISDIR)`),
    );
    await expect(readJsonFile(join(folder, 'bad.json'))).rejects.toThrow(`${join(folder, 'bad.json')} must be JSON: `);
    await expect(listFolder(none)).rejects.toThrow(
      problem(`listFolder: cannot list ${none}: there is none; check the path (ENOENT)`),
    );
    await expect(makeFolder(join(folder, 'bad.json'))).rejects.toThrow(
      problem(
        `makeFolder: cannot make ${join(folder, 'bad.json')}: it is there already; remove it first or choose another name (EEXIST)`,
      ),
    );
    await expect(fileSource(none)).rejects.toThrow(
      problem(`fileSource: cannot open ${none}: there is none; check the path (ENOENT)`),
    );
    await expect(fileSource(folder)).rejects.toThrow(problem(`fileSource: cannot read ${folder}: it is not a file`));
    await expect(writeFileAtomic(join(none, 'x'), '')).rejects.toThrow(
      problem(`writeFileAtomic: cannot list ${none}: there is none; check the path (ENOENT)`),
    );
  });
});

describe('fileSource', () => {
  it('reads a range, and refuses one outside of the file', async () => {
    const path = join(await temporaryFolder(), 'digits');
    await writeFile(path, '0123456789');
    const source = await fileSource(path);
    expect(source.size).toBe(10);
    expect(new TextDecoder().decode(await source.read(3, 4))).toBe('3456');
    await expect(source.read(8, 3)).rejects.toThrow(
      problem(`${path}: a read must lie inside: expected a range within 0 and 10, got 3 bytes from 8`),
    );
    await source.close?.();
    await expect(source.read(0, 1)).rejects.toThrow(`fileSource: cannot read ${path}: `);
  });
});

describe('writeFileAtomic', () => {
  it('replaces, and leaves nothing aside', async () => {
    const folder = await temporaryFolder();
    await writeFileAtomic(join(folder, 'f'), 'old');
    await writeFileAtomic(join(folder, 'f'), new Uint8Array([110, 101, 119]));
    expect(await read(join(folder, 'f'))).toBe('new');
    expect(await readdir(folder)).toEqual(['f']);
  });

  it('keeps the old file when the new one fails half-way', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'm.safetensors');
    await writeFileAtomic(path, 'old');
    const broken = { name: 'w', dtype: 'U8', shape: [3], data: () => new Uint8Array(2) } as const;
    await expect(writeSafetensorsFile(path, [broken])).rejects.toThrow(
      problem(`${path}: w: data must have the length that dtype and shape need: expected 3 bytes (U8 [3]), got 2`),
    );
    expect(await read(path)).toBe('old');
    expect(await readdir(folder)).toEqual(['m.safetensors']);
  });

  it('can be called for one path many times at once', async () => {
    const folder = await temporaryFolder();
    await Promise.all(Array.from({ length: 20 }, (_, i) => writeFileAtomic(join(folder, 'f'), `${i}`.repeat(1000))));
    expect(await read(join(folder, 'f'))).toMatch(/^(\d+)\1{999}$/);
    expect(await readdir(folder)).toEqual(['f']);
  });

  it('does not take another write of this process for a leftover', async () => {
    const path = join(await temporaryFolder(), 'm.safetensors');
    const data = async () => {
      await writeFileAtomic(path, 'in between');
      return new Uint8Array(3);
    };
    const written = await writeSafetensorsFile(path, [{ name: 'w', dtype: 'U8', shape: [3], data }]);
    expect((await stat(path)).size).toBe(written.byteLength);
  });

  it('clears what a killed process left for the same path, and only that', async () => {
    const folder = await temporaryFolder();
    const running = `.f.${process.ppid}-0-0.burin-new`;
    const other = `.g.${NOBODY}-0-0.burin-new`;
    const old = `.f.${process.ppid}-0-1.burin-new`;
    for (const name of [`.f.${NOBODY}-0-7.burin-new`, running, other, old, '.f.swp'])
      await writeFile(join(folder, name), '');
    await utimes(join(folder, old), 0, 0);
    await writeFileAtomic(join(folder, 'f'), 'x');
    expect(await readdir(folder)).toEqual([running, '.f.swp', other, 'f']);
  });
});

describe('writeFolderAtomic', () => {
  const fill = (text: string) => async (folder: string) => {
    await mkdir(join(folder, 'deep'));
    await writeFile(join(folder, 'deep/a'), text);
    await writeFileAtomic(join(folder, 'b'), text);
  };

  it('publishes a folder whole', async () => {
    const folder = await temporaryFolder();
    const path = join(folder, 'checkpoint-5');
    await writeFolderAtomic(path, async (aside) => {
      await fill('one')(aside);
      expect(await exists(path)).toBe(false);
      expect(await listFolder(folder)).toEqual([]);
    });
    expect(await readdir(folder)).toEqual(['checkpoint-5']);
    expect(await read(join(path, 'deep/a'))).toBe('one');
  });

  it('makes the folders above it', async () => {
    const path = join(await temporaryFolder(), 'runs/first/model');
    await writeFolderAtomic(path, fill('one'));
    expect(await read(join(path, 'b'))).toBe('one');
  });

  it('replaces when told to, else refuses before it writes', async () => {
    const path = join(await temporaryFolder(), 'model');
    await writeFolderAtomic(path, fill('one'));
    const filled = vi.fn(fill('two'));
    await expect(writeFolderAtomic(path, filled)).rejects.toThrow(
      problem(
        `writeFolderAtomic: ${path} must not be there yet: got a file or folder of this name; pass { replace: true }, or choose another name`,
      ),
    );
    expect(filled).not.toHaveBeenCalled();
    await writeFile(join(path, 'stale'), '');
    await writeFolderAtomic(path, fill('two'), { replace: true });
    expect(await readdir(path)).toEqual(['b', 'deep']);
    expect(await read(join(path, 'b'))).toBe('two');
    expect(await readdir(join(path, '..'))).toEqual(['model']);
  });

  it('leaves everything as it was when filling fails', async () => {
    const folder = await temporaryFolder();
    await writeFolderAtomic(join(folder, 'm'), fill('one'));
    const failing = async (aside: string) => {
      await fill('two')(aside);
      throw new Error('no more ideas');
    };
    await expect(writeFolderAtomic(join(folder, 'm'), failing, { replace: true })).rejects.toThrow('no more ideas');
    expect(await readdir(folder)).toEqual(['m']);
    expect(await read(join(folder, 'm/b'))).toBe('one');
  });
});

describe('renameFolder', () => {
  it('renames, refuses what is there, replaces when told to', async () => {
    const folder = await temporaryFolder();
    const [from, to] = [join(folder, 'from'), join(folder, 'to')];
    await mkdir(from);
    await renameFolder(from, to);
    expect(await readdir(folder)).toEqual(['to']);
    await mkdir(from);
    await writeFile(join(from, 'x'), '');
    await expect(renameFolder(from, to)).rejects.toThrow(`renameFolder: ${to} must not be there yet: `);
    await renameFolder(from, to, { replace: true });
    expect(await readdir(folder)).toEqual(['to']);
    expect(await readdir(to)).toEqual(['x']);
    await expect(renameFolder(from, to, { replace: true })).rejects.toThrow(
      `renameFolder: cannot list ${from}: there is none`,
    );
  });
});

describe('recoverFolder', () => {
  it('removes half-written folders and moves an old one back where its place is empty', async () => {
    const folder = await temporaryFolder();
    for (const name of [
      'kept',
      `.a.${NOBODY}-0-0.burin-new`,
      `.gone.${NOBODY}-0-1.burin-old`,
      `.kept.${NOBODY}-0-2.burin-old`,
    ]) {
      await mkdir(join(folder, name));
      await writeFile(join(folder, name, 'x'), name);
    }
    await recoverFolder(folder);
    expect(await readdir(folder)).toEqual(['gone', 'kept']);
    expect(await read(join(folder, 'gone/x'))).toBe(`.gone.${NOBODY}-0-1.burin-old`);
    expect(await read(join(folder, 'kept/x'))).toBe('kept');
  });
});

describe('where there is no file system', () => {
  afterEach(() => vi.unstubAllGlobals());

  it.each([
    ['readTextFile', () => readTextFile('x')],
    ['fileSource', () => fileSource('x')],
    ['writeFileAtomic', () => writeFileAtomic('x', '')],
    ['writeSafetensorsFile', () => writeSafetensorsFile('x', [])],
    ['writeFolderAtomic', () => writeFolderAtomic('x', async () => {})],
    ['openCheckpoint', () => openCheckpoint('x')],
    ['exists', () => exists('x')],
  ])('%s says so', async (name, action) => {
    vi.stubGlobal('process', undefined);
    await expect(action()).rejects.toThrow(
      problem(
        `${name}: files need Node 20.16 or later: here there is no file system; ` +
          'in a browser open a Blob with blobSource, or bytes with bytesSource or readSafetensors, and make bytes with writeSafetensors',
      ),
    );
  });
});

it('a file as large as a model is written piece by piece', async () => {
  const path = join(await temporaryFolder(), 'm.safetensors');
  const piece = new Uint8Array(1_000_000);
  const tensors = Array.from(
    { length: 8 },
    (_, i) => ({ name: `w${i}`, dtype: 'U8', shape: [1000, 1000], data: () => piece }) as const,
  );
  const written = await writeSafetensorsFile(path, tensors);
  expect(written.byteLength).toBe((await stat(path)).size);
  expect(written.tensors.map(({ name, byteLength }) => `${name} ${byteLength}`)).toEqual(
    tensors.map(({ name }) => `${name} 1000000`),
  );
});
