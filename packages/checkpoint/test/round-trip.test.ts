import {
  blobSource,
  bytesSource,
  CheckpointError,
  openSafetensors,
  readSafetensors,
  type SafetensorsDtype,
  type TensorBytes,
  tensorByteLength,
  writeSafetensors,
} from '@burin/checkpoint';
import { fc, test } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { guardedSource } from './helpers.js';

const dtypes: SafetensorsDtype[] = [
  'F64',
  'F32',
  'F16',
  'BF16',
  'I64',
  'I32',
  'I16',
  'I8',
  'U8',
  'BOOL',
  'U64',
  'C64',
  'F8_E4M3',
];
const text = fc.string({ unit: 'grapheme', maxLength: 12 });

const tensors: fc.Arbitrary<TensorBytes[]> = fc.uniqueArray(
  fc
    .record({
      name: fc.oneof(text, fc.constantFrom('__proto__', 'constructor', '')),
      dtype: fc.constantFrom(...dtypes),
      shape: fc.array(fc.nat(4), { maxLength: 4 }),
      seed: fc.nat(255),
    })
    .map(({ name, dtype, shape, seed }) => ({
      name,
      dtype,
      shape,
      data: Uint8Array.from({ length: tensorByteLength(dtype, shape) }, (_, i) => (i * 31 + seed) & 255),
    })),
  { selector: ({ name }) => name, maxLength: 8 },
);

const zeros = (dtype: SafetensorsDtype, name: string): TensorBytes => ({
  name,
  dtype,
  shape: [1],
  data: new Uint8Array(tensorByteLength(dtype, [1])),
});
const headerOf = (file: Uint8Array) => new TextDecoder().decode(file.subarray(8, 8 + file[0]! + 256 * file[1]!));

describe('writing then reading', () => {
  test.prop([tensors, fc.dictionary(text, text)], { seed: 1 })(
    'gives the same tensors and metadata',
    (given, metadata) => {
      const file = writeSafetensors(
        given.filter(({ name }) => name !== '__metadata__'),
        metadata,
      );
      const read = readSafetensors(file);
      expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(metadata).sort());
      expect(read.tensors.size).toBe(given.length);
      for (const { name, dtype, shape, data } of given)
        expect(read.tensors.get(name)).toMatchObject({ name, dtype, shape, data });
    },
  );

  test.prop([tensors], { seed: 2 })('does not depend on the order of the tensors', (given) => {
    expect(writeSafetensors([...given].reverse())).toEqual(writeSafetensors(given));
  });

  test.prop([tensors], { seed: 3 })('aligns the data to 8 bytes, each tensor to its elements', (given) => {
    for (const { dtype, byteOffset } of readSafetensors(writeSafetensors(given)).tensors.values()) {
      expect(byteOffset % tensorByteLength(dtype, [1])).toBe(0);
    }
  });
});

describe('a written file', () => {
  it('has the bytes of the reference implementation', () => {
    // safetensors 0.8.0: serialize({'b': float32 [1], 'a': float16 [2]}, {'format': 'pt'})
    const header =
      '{"__metadata__":{"format":"pt"},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},' +
      '"a":{"dtype":"F16","shape":[2],"data_offsets":[4,8]}}      ';
    const file = writeSafetensors(
      [
        { name: 'a', dtype: 'F16', shape: [2], data: new Uint8Array([5, 6, 7, 8]) },
        { name: 'b', dtype: 'F32', shape: [1], data: new Uint8Array([1, 2, 3, 4]) },
      ],
      { format: 'pt' },
    );
    expect([...file.subarray(0, 8)]).toEqual([144, 0, 0, 0, 0, 0, 0, 0]);
    expect(new TextDecoder().decode(file.subarray(8, 152))).toBe(header);
    expect([...file.subarray(152)]).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
  });

  it('lists the most aligned dtypes first, then names in the order of code points', () => {
    const file = writeSafetensors([
      ...(['BOOL', 'U8', 'I8', 'I16', 'F16', 'BF16', 'I32', 'F32', 'F64', 'I64', 'U64'] as const).map((dtype) =>
        zeros(dtype, dtype),
      ),
      ...['\u{1f600}', '\uffff', 'a', 'B', 'a.b', ''].map((name) => zeros('F32', name)),
    ]);
    const names = [
      'U64',
      'I64',
      'F64',
      '',
      'B',
      'F32',
      'a',
      'a.b',
      '\uffff',
      '\u{1f600}',
      'I32',
      'BF16',
      'F16',
      'I16',
      'I8',
      'U8',
      'BOOL',
    ];
    expect([...readSafetensors(file).tensors.keys()]).toEqual(names);
    expect(headerOf(file).trimEnd()).toMatch(/\}\}$/);
  });

  it.each([
    [
      'a name twice',
      [zeros('F32', 'w'), zeros('U8', 'w')],
      "writeSafetensors: w: a tensor's name must be unique: got it twice",
    ],
    [
      'the name of the metadata',
      [zeros('F32', '__metadata__')],
      "writeSafetensors: __metadata__: a tensor cannot have this name: the format keeps it for the file's metadata",
    ],
    [
      'half of a surrogate pair',
      [zeros('F32', '\ud800')],
      "writeSafetensors: \\ud800: a tensor's name must be Unicode text: got half of a surrogate pair",
    ],
    [
      'data too short',
      [{ ...zeros('F32', 'w'), shape: [2] }],
      'writeSafetensors: w: data must have the length that dtype and shape need: expected 8 bytes (F32 [2]), got 4',
    ],
    [
      'a broken shape',
      [{ ...zeros('F32', 'w'), shape: [-1] }],
      'writeSafetensors: w: shape must be an array of whole numbers: expected each from 0 to 9007199254740991, got [-1]',
    ],
  ])('is refused: %s', (_what, given, message) => {
    expect(() => writeSafetensors(given)).toThrow(new CheckpointError(message));
  });

  it('is refused: an unknown dtype, metadata that is not text', () => {
    const odd = { ...zeros('F32', 'w'), dtype: 'float32' as 'F32' };
    expect(() => writeSafetensors([odd])).toThrow(
      'writeSafetensors: w: dtype must be one that safetensors knows: expected one of U64, ',
    );
    const metadata = { epoch: 3 } as unknown as Record<string, string>;
    expect(() => writeSafetensors([], metadata)).toThrow(
      'writeSafetensors: __metadata__ must map text to text: expected a string for "epoch", got 3',
    );
  });
});

describe('tensorByteLength', () => {
  it('counts bytes', () => {
    expect(tensorByteLength('BF16', [3, 5])).toBe(30);
    expect(tensorByteLength('F64', [])).toBe(8);
    expect(tensorByteLength('F4', [2, 3])).toBe(3);
    expect(tensorByteLength('I64', [5, 0])).toBe(0);
  });

  it('refuses what does not fit', () => {
    expect(() => tensorByteLength('F32', [2 ** 40, 2 ** 40])).toThrow(
      'tensorByteLength: shape times element size overflows',
    );
  });
});

describe('an open file', () => {
  const file = writeSafetensors([
    { name: 'small', dtype: 'U8', shape: [3], data: new Uint8Array([1, 2, 3]) },
    { name: 'large', dtype: 'F32', shape: [1000], data: new Uint8Array(4000).fill(9) },
    { name: 'empty', dtype: 'F32', shape: [0], data: new Uint8Array(0) },
  ]);

  it('reads its header and the tensors that are asked for, and no more', async () => {
    const source = guardedSource(file);
    const opened = await openSafetensors(source);
    const header = file.length - 4003 - 8;
    expect(source.reads).toEqual([
      { offset: 0, length: 8 },
      { offset: 8, length: header },
    ]);
    expect([...(await opened.read('small'))]).toEqual([1, 2, 3]);
    expect(await opened.read('empty')).toHaveLength(0);
    expect(source.reads.slice(2)).toEqual([{ offset: file.length - 3, length: 3 }]);
    await opened.close();
    expect(source.closed).toBe(1);
  });

  it('reads from a blob and from bytes alike', async () => {
    const fromBlob = await openSafetensors(blobSource(new Blob([file]), 'picked.safetensors'));
    const fromBytes = await openSafetensors(bytesSource(file));
    expect(fromBlob.name).toBe('picked.safetensors');
    for (const name of fromBytes.tensors.keys()) expect(await fromBlob.read(name)).toEqual(await fromBytes.read(name));
  });

  it('names what there is when a tensor is missing', async () => {
    const opened = await openSafetensors(bytesSource(file, 'm.safetensors'));
    await expect(opened.read('lm_head')).rejects.toThrow(
      new CheckpointError('m.safetensors: no tensor is called "lm_head": the file holds 3 (empty, large, small)'),
    );
    await expect(opened.read('__proto__')).rejects.toThrow('no tensor is called "__proto__"');
  });

  it('notices that the file became shorter', async () => {
    const source = guardedSource(file, 'm.safetensors');
    const opened = await openSafetensors(source);
    source.read = async () => new Uint8Array(2);
    await expect(opened.read('small')).rejects.toThrow(
      `m.safetensors: a read must give what was asked for: expected 3 bytes from ${file.length - 3}, got 2; the file may have changed while it was open`,
    );
  });

  it('a source refuses to read outside of itself', async () => {
    for (const source of [bytesSource(new Uint8Array(4), 'four'), blobSource(new Blob(['1234']), 'four')]) {
      await expect(source.read(2, 3)).rejects.toThrow(
        new CheckpointError('four: a read must lie inside: expected a range within 0 and 4, got 3 bytes from 2'),
      );
      await expect(source.read(-1, 2)).rejects.toThrow('got 2 bytes from -1');
      expect(await source.read(4, 0)).toHaveLength(0);
    }
  });
});
