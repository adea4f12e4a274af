/** A file that was damaged, and how. */
export interface Mutation {
  readonly name: string;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/** Random numbers that are the same for the same seed (mulberry32). */
export interface Random {
  /** A whole number from 0 to `below` - 1. */
  whole(below: number): number;
  pick<T>(values: readonly T[]): T;
}

export function seededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const whole = (below: number) => Math.floor(next() * below);
  return { whole, pick: (values) => values[whole(values.length)]! };
}

/**
 * Damages a good safetensors file in `count` ways, the same for the same seed: flipped bits, cut ends, bytes too many, wrong
 * header lengths, wild offsets, shapes and dtypes, broken JSON, noise. A few come out valid: a reader must give either a
 * clear error or tensors that lie inside the file.
 *
 * @param good - a whole safetensors file with at least one tensor
 */
export function* safetensorsMutations(good: Uint8Array, seed: number, count: number): Generator<Mutation> {
  const random = seededRandom(seed);
  const names = Object.keys(MUTATORS);
  for (let i = 0; i < count; i++) {
    const name = names[i % names.length]!;
    yield { name: `${name} #${i}`, bytes: MUTATORS[name]!(good, random) };
  }
}

type Mutator = (good: Uint8Array, random: Random) => Uint8Array<ArrayBuffer>;

const MUTATORS: Readonly<Record<string, Mutator>> = {
  'flipped bits': (good, random) => flipBits(good, random, good.length),
  'flipped bits in the header': (good, random) => flipBits(good, random, headerEnd(good)),
  'cut off': (good, random) => good.slice(0, random.whole(good.length)),
  'cut off by a little': (good, random) => good.slice(0, good.length - 1 - random.whole(8)),
  'bytes too many': (good, random) => concat(good, noise(random, 1 + random.whole(64))),
  'header length': (good, random) => withLength(good, random.pick(lengths(good))),
  offsets: (good, random) => editEntry(good, random, { data_offsets: wildOffsets(good, random) }),
  shape: (good, random) => editEntry(good, random, { shape: random.pick(SHAPES) }),
  dtype: (good, random) => editEntry(good, random, { dtype: random.pick(DTYPES) }),
  'whole entry': (good, random) => replaceEntry(good, random, random.pick(VALUES)),
  metadata: (good, random) => editHeader(good, (header) => ({ ...header, __metadata__: random.pick(VALUES) })),
  names: (good, random) => renameEntry(good, random),
  'another header': (good, random) => withHeader(good, random.pick(HEADERS)),
  'header text': (good, random) => withHeader(good, editText(headerText(good), random)),
  noise: (_good, random) => noise(random, random.whole(256)),
  'noise after a header length': (_good, random) => {
    const bytes = noise(random, 8 + random.whole(256));
    new DataView(bytes.buffer).setBigUint64(0, BigInt(random.whole(bytes.length)), true);
    return bytes;
  },
};

const WILD_NUMBERS = [
  -1,
  -0.5,
  0.5,
  1,
  2,
  7,
  2 ** 31,
  2 ** 32,
  2 ** 53 - 1,
  2 ** 53,
  1e19,
  1e300,
  -(2 ** 53),
  null,
  '4',
];
const SHAPES = [
  null,
  3,
  '3',
  {},
  [-1],
  [0.5],
  [1e300],
  [2 ** 53 - 1, 2 ** 53 - 1],
  [2 ** 32, 2 ** 32],
  [0, 2 ** 53 - 1, 2 ** 53 - 1],
  [[2], 3],
  ['2'],
  [null],
  [],
  [0],
  [1],
  [1, 1, 1, 1, 1, 1],
  { length: 2 ** 32 },
  Array(2000).fill(1),
  Array(2000).fill(2),
]; // prettier-ignore
const DTYPES = [
  'F33',
  'f32',
  '',
  'U8',
  'F64',
  'F4',
  'F6_E2M3',
  'toString',
  '__proto__',
  'constructor',
  'NF4',
  null,
  0,
  ['F32'],
  {},
];
const VALUES = [
  null,
  true,
  0,
  -1,
  'text',
  [],
  [1, 2],
  {},
  { a: 1 },
  { a: null },
  { dtype: 'F32' },
  { __proto__: null },
  [{}],
];
const HEADERS = [
  '',
  ' ',
  '{',
  '}',
  'null',
  '[]',
  '"x"',
  '1',
  '{}',
  '{}}',
  '{"a"}',
  '{"a":}',
  '{"a":{}}',
  '{"__proto__":{}}',
  '{"a":1,"a":1}',
  '\ufeff{}',
  '{"\\ud800":{}}',
  '{"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"data_offsets":[0,0]}}',
  '\u0000',
  '['.repeat(5000),
  '{"a":'.repeat(5000),
  '['.repeat(5000) + ']'.repeat(5000),
  `{"${'x'.repeat(100_000)}":1}`,
]; // prettier-ignore

function headerEnd(file: Uint8Array): number {
  return 8 + Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
}

function headerText(file: Uint8Array): string {
  return new TextDecoder().decode(file.subarray(8, headerEnd(file)));
}

/** `good` with another header, its length to match. */
function withHeader(good: Uint8Array, header: string): Uint8Array<ArrayBuffer> {
  const json = new TextEncoder().encode(header);
  const prefix = withLength(new Uint8Array(8), BigInt(json.length));
  return concat(prefix, json, good.subarray(headerEnd(good)));
}

function withLength(good: Uint8Array, length: bigint): Uint8Array<ArrayBuffer> {
  const bytes = good.slice();
  new DataView(bytes.buffer).setBigUint64(0, length, true);
  return bytes;
}

function lengths(good: Uint8Array): bigint[] {
  const header = BigInt(headerEnd(good) - 8);
  const size = BigInt(good.length);
  const near = [header - 1n, header + 1n, header - 8n, header + 8n, size, size - 8n, size - 7n, size + 1n];
  return [0n, 1n, 2n, ...near, 100_000_000n, 100_000_001n, 2n ** 31n, 2n ** 32n, 2n ** 53n, 2n ** 63n, 2n ** 64n - 1n];
}

function wildOffsets(good: Uint8Array, random: Random): unknown {
  const size = good.length - headerEnd(good);
  const numbers = [...WILD_NUMBERS, 0, size, size + 1, size - 1, random.whole(size + 8), random.whole(size + 8)];
  const offsets = [random.pick(numbers), random.pick(numbers)];
  return random.pick<unknown>([offsets, offsets, offsets, offsets.slice(1), [...offsets, 1], null, 'all', {}]);
}

type Json = Record<string, unknown>;

function editHeader(good: Uint8Array, edit: (header: Json) => Json): Uint8Array<ArrayBuffer> {
  return withHeader(good, JSON.stringify(edit(JSON.parse(headerText(good)) as Json)));
}

function anyTensor(header: Json, random: Random): string {
  return random.pick(Object.keys(header).filter((name) => name !== '__metadata__'));
}

function editEntry(good: Uint8Array, random: Random, change: Json): Uint8Array<ArrayBuffer> {
  return editHeader(good, (header) => {
    const name = anyTensor(header, random);
    return { ...header, [name]: { ...(header[name] as Json), ...change } };
  });
}

function replaceEntry(good: Uint8Array, random: Random, value: unknown): Uint8Array<ArrayBuffer> {
  return editHeader(good, (header) => ({ ...header, [anyTensor(header, random)]: value }));
}

/** Renames in the text, so that one name may come twice and `__proto__` is a key like any other. */
function renameEntry(good: Uint8Array, random: Random): Uint8Array<ArrayBuffer> {
  const text = headerText(good);
  const names = Object.keys(JSON.parse(text) as Json);
  const name = random.pick([
    ...names,
    '__proto__',
    'constructor',
    '__metadata__',
    '',
    '\ud800',
    '../../x',
    '\n\u001b[31m',
  ]);
  return withHeader(good, text.replace(`${JSON.stringify(random.pick(names))}:`, `${JSON.stringify(name)}:`));
}

/** Takes away, doubles or inserts a few characters. */
function editText(text: string, random: Random): string {
  let edited = text;
  for (let times = 1 + random.whole(3); times > 0; times--) {
    const at = random.whole(edited.length);
    const taken = random.whole(4);
    const put = random.pick([
      '',
      '"',
      '{',
      '}',
      '[',
      ']',
      ',',
      ':',
      '\\',
      '-',
      '9',
      'e9',
      '\u0000',
      'é',
      edited.slice(at, at + 8),
    ]);
    edited = edited.slice(0, at) + put + edited.slice(at + taken);
  }
  return edited;
}

function flipBits(good: Uint8Array, random: Random, end: number): Uint8Array<ArrayBuffer> {
  const bytes = good.slice();
  for (let times = 1 + random.whole(4); times > 0; times--) bytes[random.whole(end)]! ^= 1 << random.whole(8);
  return bytes;
}

function noise(random: Random, length: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, () => random.whole(256));
}

function concat(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}
