import { CheckpointError, openSafetensors, readSafetensors } from '@burin/checkpoint';
import { describe, expect, it } from 'vitest';
import { fileOf, guardedSource } from './helpers.js';

/** The message with which a file is refused. */
function refusal(bytes: Uint8Array): string {
  try {
    readSafetensors(bytes, 'm.safetensors');
  } catch (error) {
    expect(error).toBeInstanceOf(CheckpointError);
    return (error as CheckpointError).message;
  }
  throw new Error('the file was accepted');
}

/** A header of one tensor `w`, F32 [2], bytes 0 to 8, with some of it changed. */
function one(change: object): object {
  return { w: { dtype: 'F32', shape: [2], data_offsets: [0, 8], ...change } };
}

const eight = new Uint8Array(8);
const tensor = (begin: number, end: number) => ({ dtype: 'U8', shape: [end - begin], data_offsets: [begin, end] });
const MAX = 9007199254740991;
const DTYPES =
  'U64, I64, F64, C64, F32, U32, I32, BF16, F16, U16, I16, F8_E5M2FNUZ, F8_E4M3FNUZ, F8_E8M0, F8_E4M3, F8_E5M2, I8, U8, ' +
  'F6_E3M2, F6_E2M3, F4, BOOL';
const invalidUtf8 = new Uint8Array([0x7b, 0xff, 0x7d]);

const CASES: readonly [what: string, file: Uint8Array, message: string][] = [
  [
    'an empty file',
    new Uint8Array(0),
    'm.safetensors: a safetensors file starts with 8 bytes of header length: got a file of 0 bytes; it is empty or was cut off, fetch it again',
  ],
  [
    'a header length of 0',
    fileOf('', eight),
    'm.safetensors: header length must be 1 or more: got 0; this is not a safetensors file',
  ],
  [
    'a header length above the limit',
    fileOf('{}', eight, 100_000_001n),
    'm.safetensors: header length must be at most 100000000: got 100000001; this is not a safetensors file',
  ],
  [
    'a header length of 2⁶⁴ - 1',
    fileOf('{}', eight, 2n ** 64n - 1n),
    'm.safetensors: header length must be at most 100000000: got 18446744073709551615; this is not a safetensors file',
  ],
  [
    'a header length past the end',
    fileOf('{}', eight, 11n),
    'm.safetensors: header must end inside the file: expected at most 10 bytes, got 11; the file was cut off, or is not a safetensors file',
  ],
  ['a header that is not UTF-8', fileOf(invalidUtf8), 'm.safetensors: header must be UTF-8: got bytes that are not'],
  ['a header that is null', fileOf('null'), 'm.safetensors: header must be a JSON object: expected { ... }, got null'],
  [
    'a header that is an array',
    fileOf('[]'),
    'm.safetensors: header must be a JSON object: expected { ... }, got an array',
  ],
  [
    'a header that is a number',
    fileOf('1'),
    'm.safetensors: header must be a JSON object: expected { ... }, got a number',
  ],
  [
    'a tensor twice',
    fileOf('{"w":{},"w":{}}'),
    'm.safetensors: header must hold each key once: expected no duplicate, got "w" twice',
  ],
  [
    'a tensor twice, once escaped',
    fileOf('{"w":{},"\\u0077" :{}}'),
    'm.safetensors: header must hold each key once: expected no duplicate, got "w" twice',
  ],
  [
    'offsets twice',
    fileOf('{"w":{"data_offsets":[0,1],"data_offsets":[0,2]}}'),
    'm.safetensors: header must hold each key once: expected no duplicate, got "data_offsets" twice',
  ],
  [
    'half of a surrogate pair in a name',
    fileOf('{"a\\ud800":{}}'),
    "m.safetensors: a\\ud800: a tensor's name must be Unicode text: got half of a surrogate pair",
  ],
  [
    'a tensor that is an array',
    fileOf({ w: ['F32', [2]] }),
    'm.safetensors: w: a tensor must be described by an object: expected { dtype, shape, data_offsets }, got ["F32", an array]',
  ],
  [
    'an unknown dtype',
    fileOf(one({ dtype: 'F33' }), eight),
    `m.safetensors: w: dtype must be one that safetensors knows: expected one of ${DTYPES}, got "F33"`,
  ],
  [
    'a dtype that every object has',
    fileOf(one({ dtype: 'toString' }), eight),
    `m.safetensors: w: dtype must be one that safetensors knows: expected one of ${DTYPES}, got "toString"`,
  ],
  [
    'a missing dtype',
    fileOf(one({ dtype: undefined }), eight),
    `m.safetensors: w: dtype must be one that safetensors knows: expected one of ${DTYPES}, got undefined`,
  ],
  [
    'a shape that is no array',
    fileOf(one({ shape: 2 }), eight),
    `m.safetensors: w: shape must be an array of whole numbers: expected each from 0 to ${MAX}, got 2`,
  ],
  [
    'a negative size',
    fileOf(one({ shape: [-2] }), eight),
    `m.safetensors: w: shape must be an array of whole numbers: expected each from 0 to ${MAX}, got [-2]`,
  ],
  [
    'a size of minus 0',
    fileOf('{"w":{"dtype":"F32","shape":[-0],"data_offsets":[0,0]}}'),
    `m.safetensors: w: shape must be an array of whole numbers: expected each from 0 to ${MAX}, got [-0]`,
  ],
  [
    'a broken size',
    fileOf(one({ shape: [1.5] }), eight),
    `m.safetensors: w: shape must be an array of whole numbers: expected each from 0 to ${MAX}, got [1.5]`,
  ],
  [
    'an unsafe size',
    fileOf(one({ shape: [2 ** 53] }), eight),
    `m.safetensors: w: shape must be an array of whole numbers: expected each from 0 to ${MAX}, got [9007199254740992]`,
  ],
  [
    'a product that overflows',
    fileOf(one({ shape: [2 ** 30, 2 ** 30] }), eight),
    `m.safetensors: w: shape times element size overflows: expected at most ${MAX} bits, got F32 [1073741824, 1073741824]`,
  ],
  [
    'half a byte',
    fileOf(one({ dtype: 'F4', shape: [3] }), eight),
    'm.safetensors: w: a tensor must end at a whole byte: expected a multiple of 8 bits, got 12 (F4 [3])',
  ],
  [
    'offsets that are no array',
    fileOf(one({ data_offsets: 8 }), eight),
    `m.safetensors: w: data_offsets must be two whole numbers: expected [begin, end], each from 0 to ${MAX}, got 8`,
  ],
  [
    'three offsets',
    fileOf(one({ data_offsets: [0, 8, 8] }), eight),
    `m.safetensors: w: data_offsets must be two whole numbers: expected [begin, end], each from 0 to ${MAX}, got [0, 8, 8]`,
  ],
  [
    'a negative offset',
    fileOf(one({ data_offsets: [-8, 0] }), eight),
    `m.safetensors: w: data_offsets must be two whole numbers: expected [begin, end], each from 0 to ${MAX}, got [-8, 0]`,
  ],
  [
    'an unsafe offset',
    fileOf(one({ data_offsets: [0, 2 ** 60] }), eight),
    `m.safetensors: w: data_offsets must be two whole numbers: expected [begin, end], each from 0 to ${MAX}, got [0, 1152921504606847000]`,
  ],
  [
    'offsets that run backwards',
    fileOf(one({ data_offsets: [8, 0] }), eight),
    'm.safetensors: w: data_offsets must not run backwards: expected begin <= end, got [8, 0]',
  ],
  [
    'an end outside of the file',
    fileOf(one({}), new Uint8Array(7)),
    'm.safetensors: w: data_offsets must lie inside the file: expected an end of at most 7, got [0, 8]; the file may have been cut off, fetch it again',
  ],
  [
    'a length that does not fit the shape',
    fileOf(one({ shape: [3] }), eight),
    'm.safetensors: w: data_offsets must span what dtype and shape need: expected 12 bytes (F32 [3]), got 8 ([0, 8])',
  ],
  [
    'an overlap',
    fileOf({ a: tensor(0, 5), b: tensor(3, 8) }, eight),
    'm.safetensors: b: a tensor must not overlap the one before it: expected data_offsets to begin at 5, got 3',
  ],
  [
    'a hole',
    fileOf({ a: tensor(0, 3), b: tensor(5, 8) }, eight),
    'm.safetensors: b: tensors must leave no hole: expected data_offsets to begin at 3, got 5',
  ],
  [
    'an empty tensor in the middle of another',
    fileOf({ a: tensor(0, 8), b: tensor(4, 4) }, eight),
    'm.safetensors: b: a tensor must not overlap the one before it: expected data_offsets to begin at 8, got 4',
  ],
  [
    'a hole at the start',
    fileOf({ a: tensor(1, 8) }, eight),
    'm.safetensors: a: tensors must leave no hole: expected data_offsets to begin at 0, got 1',
  ],
  [
    'bytes left over',
    fileOf({ a: tensor(0, 7) }, eight),
    'm.safetensors: tensors must cover the file to its end: expected 7 bytes after the header, got 8',
  ],
  [
    'bytes and no tensor',
    fileOf({}, eight),
    'm.safetensors: tensors must cover the file to its end: expected 0 bytes after the header, got 8',
  ],
  [
    'metadata that is no object',
    fileOf({ __metadata__: 'pt' }),
    'm.safetensors: __metadata__ must be an object of strings: got "pt"',
  ],
  [
    'metadata of numbers',
    fileOf({ __metadata__: { step: 3 } }),
    'm.safetensors: __metadata__ must map text to text: expected a string for "step", got 3',
  ],
]; // prettier-ignore

describe('a malformed file is refused', () => {
  it.each(CASES)('%s', (_what, file, message) => {
    expect(refusal(file)).toBe(message);
  });

  it('a header that is not JSON, with the reason that the engine gives', () => {
    expect(refusal(fileOf('{"w":'))).toMatch(/^m\.safetensors: header must be JSON: \S/);
  });

  it('a header with a byte order mark', () => {
    expect(refusal(fileOf('\ufeff{}'))).toMatch(/^m\.safetensors: header must be JSON: \S/);
  });

  it('a name that is long or holds control characters is escaped and cut', () => {
    expect(refusal(fileOf({ '\u001b[31m': 1 }))).toContain('m.safetensors: \\u001b[31m: a tensor must');
    expect(refusal(fileOf({ ['x'.repeat(1e6)]: 1 })).length).toBeLessThan(300);
  });

  it('a value that is nested deeply', () => {
    const deep = `{"w":{"dtype":"F32","data_offsets":[0,0],"shape":${'['.repeat(1e5)}${']'.repeat(1e5)}}}`;
    expect(refusal(fileOf(deep))).toContain('w: shape must be an array of whole numbers');
  });

  it('and its source is closed', async () => {
    const source = guardedSource(fileOf('null'), 'm.safetensors');
    await expect(openSafetensors(source)).rejects.toThrow('got null');
    expect(source.closed).toBe(1);
  });
});

describe('what the format allows is accepted', () => {
  it('no tensors', () => {
    expect(readSafetensors(fileOf('{}      ')).tensors.size).toBe(0);
  });

  it('tensors in any order, empty ones between', () => {
    const { tensors } = readSafetensors(fileOf({ b: tensor(3, 8), a: tensor(0, 3), empty: tensor(3, 3) }, eight));
    expect([...tensors.keys()]).toEqual(['a', 'empty', 'b']);
  });

  it('a scalar, and a dtype of 4 bits', () => {
    const header = {
      s: { dtype: 'I32', shape: [], data_offsets: [0, 4] },
      q: { dtype: 'F4', shape: [2, 4], data_offsets: [4, 8] },
    };
    expect(readSafetensors(fileOf(header, eight)).tensors.get('q')?.byteLength).toBe(4);
  });

  it('quotes, backslashes and braces in names', () => {
    const names = ['a"', '\\', '\\"{', '":{"w":1,"w":2}'];
    const header = Object.fromEntries(names.map((name, i) => [name, tensor(2 * i, 2 * i + 2)]));
    expect([...readSafetensors(fileOf(header, eight)).tensors.keys()]).toEqual(names);
  });

  it('metadata that are null', () => {
    const header = { w: tensor(0, 8), __metadata__: null };
    expect(Object.entries(readSafetensors(fileOf(header, eight)).metadata)).toEqual([]);
  });

  it('names that mean something to JavaScript', () => {
    const header =
      '{"__proto__":{"dtype":"U8","shape":[8],"data_offsets":[0,8]},"__metadata__":{"__proto__":"p","toString":"s"}}';
    const { tensors, metadata } = readSafetensors(fileOf(header, eight));
    expect([...tensors.keys()]).toEqual(['__proto__']);
    expect(Object.entries(metadata)).toEqual([
      ['__proto__', 'p'],
      ['toString', 's'],
    ]);
    expect(metadata.constructor).toBeUndefined();
    expect(({} as { dtype?: string }).dtype).toBeUndefined();
  });
});
