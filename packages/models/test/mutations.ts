import { seededRandom } from '@burin/testing';

/** A file of a model's folder, damaged. */
export interface Mutation {
  readonly name: string;
  readonly file: 'config.json' | 'generation_config.json' | 'model.safetensors';
  readonly content: Uint8Array;
}

/** Draws whole numbers and picks. */
class Random {
  readonly #random;

  constructor(seed: number) {
    this.#random = seededRandom(seed);
  }

  whole(below: number): number {
    return this.#random.integers(1, 0, below)[0]!;
  }

  pick<T>(values: readonly T[]): T {
    return values[this.whole(values.length)]!;
  }
}

/**
 * Damages the files of a model's folder in `count` ways, the same for the same seed. Some come out valid: a loader must
 * give either a clear error or a model of the shapes that config.json says.
 */
export function* modelMutations(
  config: Record<string, unknown>,
  weights: Uint8Array,
  seed: number,
  count: number,
): Generator<Mutation> {
  const random = new Random(seed);
  const names = Object.keys(MUTATORS);
  for (let i = 0; i < count; i++) {
    const name = names[i % names.length]!;
    yield { name: `${name} #${i}`, ...MUTATORS[name]!({ config, weights, random }) };
  }
}

interface Good {
  config: Record<string, unknown>;
  weights: Uint8Array;
  random: Random;
}

const encode = (text: string) => new TextEncoder().encode(text);
const configFile = (text: string) => ({ file: 'config.json' as const, content: encode(text) });
const weightsFile = (content: Uint8Array) => ({ file: 'model.safetensors' as const, content });

const MUTATORS: Readonly<Record<string, (good: Good) => Omit<Mutation, 'name'>>> = {
  'config value': ({ config, random }) =>
    configFile(JSON.stringify({ ...config, [random.pick(Object.keys(config))]: random.pick(VALUES) })),
  'config size': ({ config, random }) => configFile(JSON.stringify({ ...config, [random.pick(SIZES)]: size(random) })),
  'config option': ({ config, random }) => {
    const [key, values] = random.pick(Object.entries(OPTIONS));
    return configFile(JSON.stringify({ ...config, [key]: random.pick([...values, ...VALUES]) }));
  },
  'config without a key': ({ config, random }) => {
    const { [random.pick(Object.keys(config))]: _gone, ...rest } = config;
    return configFile(JSON.stringify(rest));
  },
  'config text': ({ config, random }) => configFile(editText(JSON.stringify(config), random)),
  'another config': ({ random }) => configFile(random.pick(TEXTS)),
  'generation config': ({ random }) => ({
    file: 'generation_config.json',
    content: encode(random.pick([...TEXTS, `{"eos_token_id":${JSON.stringify(random.pick(VALUES))}}`])),
  }),
  'tensor shape': ({ weights, random }) =>
    weightsFile(editHeader(weights, random, (entry) => ({ ...entry, shape: random.pick(SHAPES) }))),
  'tensor shape of the same size': ({ weights, random }) =>
    weightsFile(
      editHeader(weights, random, (entry) => ({ ...entry, shape: [...(entry.shape as number[]), 1].reverse() })),
    ),
  'tensor dtype': ({ weights, random }) =>
    weightsFile(editHeader(weights, random, (entry) => ({ ...entry, dtype: random.pick(DTYPES) }))),
  'tensor offsets': ({ weights, random }) =>
    weightsFile(editHeader(weights, random, (entry) => ({ ...entry, data_offsets: [size(random), size(random)] }))),
  'tensor entry': ({ weights, random }) => weightsFile(editHeader(weights, random, () => random.pick(VALUES))),
  'tensor name': ({ weights, random }) => weightsFile(rename(weights, random)),
  'weights cut off': ({ weights, random }) => weightsFile(weights.slice(0, random.whole(weights.length))),
  'bits of the weights': ({ weights, random }) => weightsFile(flipBits(weights, random, weights.length)),
  'bits of the header': ({ weights, random }) => weightsFile(flipBits(weights, random, 8 + headerLength(weights))),
};

const SIZES = [
  ...['vocab_size', 'hidden_size', 'intermediate_size', 'num_hidden_layers', 'num_attention_heads', 'head_dim'],
  ...['num_key_value_heads', 'max_position_embeddings', 'type_vocab_size', 'pad_token_id', 'sliding_window'],
];
const VALUES: readonly unknown[] = [
  ...[null, true, false, 0, -1, 0.5, 3, 1e300, 2 ** 31, 2 ** 53, -0, '', 'text', '24', [], [1, 2], [[]], {}, { a: 1 }],
  ...['__proto__', { length: 3 }, 'x'.repeat(100_000), Array(1000).fill(7)],
];
const OPTIONS: Readonly<Record<string, readonly unknown[]>> = {
  architectures: [
    ['GPT2LMHeadModel'],
    ['LlamaForSequenceClassification'],
    ['MistralForCausalLM'],
    [],
    ['toString'],
    [[]],
  ],
  model_type: ['mistral', 'qwen2', 'bert', 'constructor'],
  hidden_act: ['gelu', 'toString', 'hasOwnProperty', 'sine'],
  rope_scaling: [
    { rope_type: 'linear' },
    { type: 'yarn', factor: 1e308 },
    { rope_type: 'llama3', factor: 2 },
    { factor: 2 },
  ],
  rope_parameters: [
    { rope_theta: 0, rope_type: 'default' },
    { rope_type: 'yarn', factor: 4, truncate: false },
  ],
  rope_theta: [1e-300, 1e308],
  tie_word_embeddings: [true, false],
  attention_bias: [true, false],
  id2label: [{ 0: 'a' }, { a: { b: 1 } }],
  position_embedding_type: ['relative_key'],
  layer_types: [['sliding_attention']],
};
const DTYPES = ['F16', 'BF16', 'F64', 'I32', 'U8', 'F8_E4M3', 'BOOL', 'I64', 'NF4', '__proto__', null, 4];
const SHAPES = [
  [],
  [0],
  [1],
  [-1],
  [24, 37],
  [37, 24],
  [2 ** 31, 2 ** 31],
  [1e300],
  ['24'],
  null,
  {},
  Array(999).fill(1),
];
const TEXTS = [
  '',
  '{',
  'null',
  '[]',
  '1',
  '"x"',
  '{}',
  '{"a":}',
  '\ufeff{}',
  '['.repeat(50_000),
  '{"a":'.repeat(50_000),
];

function size(random: Random): number {
  return random.pick([
    0,
    1,
    2,
    3,
    6,
    8,
    23,
    24,
    25,
    1e4,
    1e6,
    2 ** 31 - 1,
    2 ** 31,
    2 ** 32,
    2 ** 53,
    random.whole(1000),
  ]);
}

function headerLength(file: Uint8Array): number {
  return Number(new DataView(file.buffer, file.byteOffset).getBigUint64(0, true));
}

function withHeader(file: Uint8Array, header: string): Uint8Array {
  const json = encode(header);
  const data = file.subarray(8 + headerLength(file));
  const made = new Uint8Array(8 + json.length + data.length);
  new DataView(made.buffer).setBigUint64(0, BigInt(json.length), true);
  made.set(json, 8);
  made.set(data, 8 + json.length);
  return made;
}

type Header = Record<string, Record<string, unknown>>;

function headerOf(file: Uint8Array): Header {
  return JSON.parse(new TextDecoder().decode(file.subarray(8, 8 + headerLength(file)))) as Header;
}

function tensorNames(header: Header): string[] {
  return Object.keys(header).filter((name) => name !== '__metadata__');
}

function editHeader(file: Uint8Array, random: Random, edit: (entry: Record<string, unknown>) => unknown): Uint8Array {
  const header = headerOf(file);
  const name = random.pick(tensorNames(header));
  return withHeader(file, JSON.stringify({ ...header, [name]: edit(header[name]!) }));
}

function rename(file: Uint8Array, random: Random): Uint8Array {
  const header = headerOf(file);
  const names = tensorNames(header);
  const to = random.pick([...names, '', 'lm_head.weight', '__proto__', 'model.layers.9.mlp.up_proj.weight', '../x']);
  const text = JSON.stringify(header);
  return withHeader(file, text.replace(`${JSON.stringify(random.pick(names))}:`, `${JSON.stringify(to)}:`));
}

function editText(text: string, random: Random): string {
  const at = random.whole(text.length);
  const put = random.pick(['', '"', '{', '}', ',', ':', '-', '9', 'e99', '\u0000', text.slice(at, at + 8)]);
  return text.slice(0, at) + put + text.slice(at + random.whole(4));
}

function flipBits(file: Uint8Array, random: Random, end: number): Uint8Array {
  const flipped = file.slice();
  for (let times = 1 + random.whole(4); times > 0; times--) flipped[random.whole(end)]! ^= 1 << random.whole(8);
  return flipped;
}
