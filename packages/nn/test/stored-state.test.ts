import { bytesSource, openSafetensors, type SafetensorsFile, writeSafetensors } from '@burin/checkpoint';
import { buffer, Embedding, Linear, loadStored, Module, Parameter, type StoredFile, storedState } from '@burin/nn';
import { BYTES, cpu, fromBytes, Generator, type Tensor, tensor, zeros } from '@burin/tensor';
import { EXACT, expectClose } from '@burin/testing';
import { describe, expect, it, vi } from 'vitest';

class Tagger extends Module {
  readonly embed: Embedding;
  readonly head: Linear;
  readonly out: Linear;
  readonly steps = buffer(zeros([2], { dtype: 'int32' }));

  constructor(seed: number) {
    super();
    const rng = new Generator(seed);
    this.embed = new Embedding(5, 3, { rng });
    this.head = new Linear(3, 2, { rng, dtype: 'bfloat16' });
    this.out = Linear.from(this.embed.weight); // tied
  }
}

/** What a file holds of a module. */
async function written(module: Module): Promise<SafetensorsFile> {
  const held = await Promise.all(storedState(module).map(async (stored) => ({ ...stored, data: await stored.data() })));
  return openSafetensors(bytesSource(writeSafetensors(held), 'tagger.safetensors'));
}

/** A file of one tensor of zeros. */
function fileOf(name: string, dtype: string, shape: number[]): StoredFile {
  const size = shape.reduce((product, length) => product * length, 1);
  return {
    name: 'one.safetensors',
    tensors: new Map([[name, { dtype, shape }]]),
    read: async () => new Uint8Array(BYTES.float32 * size),
  };
}

describe('storedState', () => {
  it('names each tensor once, with its dtype, shape and bytes', async () => {
    const tagger = new Tagger(1);
    tagger.steps.fill_(7);
    const stored = storedState(tagger);
    expect(stored.map(({ name, dtype, shape }) => `${name} ${dtype} [${shape}]`)).toEqual([
      'embed.weight F32 [5,3]',
      'head.weight BF16 [2,3]',
      'head.bias BF16 [2]',
      'steps I32 [2]',
    ]);
    expect([...new Int32Array((await stored.at(-1)!.data()).buffer)]).toEqual([7, 7]);
  });
});

describe('loadStored', () => {
  it('gives another module the same numbers, bit for bit, and keeps nothing', async () => {
    const [from, to] = [new Tagger(1), new Tagger(2)];
    from.steps.fill_(3);
    const file = await written(from);
    const before = cpu().memory.liveBuffers;
    expect(await loadStored(to, file)).toEqual({ missing: [], unexpected: [] });
    expect(cpu().memory.liveBuffers).toBe(before);
    for (const key of ['embed', 'head'] as const) {
      expect(await to[key].weight.bytes()).toEqual(await from[key].weight.bytes());
    }
    expect(await to.steps.bytes()).toEqual(await from.steps.bytes());
    expect(to.out.weight).toBe(to.embed.weight);
  });

  it('converts between floating dtypes', async () => {
    const to = new Linear(2, 1, { bias: false, rng: new Generator(0) });
    const from = Linear.from(new Parameter(tensor([1.5, -2], [1, 2]).to('float16')));
    await loadStored(to, await written(from));
    expect(to.weight.dtype).toBe('float32');
    expectClose(await to.weight.data(), [1.5, -2], EXACT);
  });

  it('refuses names that differ, or reports them', async () => {
    const to = new Tagger(1);
    const file = fileOf('crown.weight', 'F32', [2]);
    await expect(loadStored(to, file)).rejects.toThrow(
      'loadStored: one.safetensors: the names must be those of the module: missing embed.weight, head.weight, ' +
        'head.bias, steps; unexpected crown.weight',
    );
    expect((await loadStored(to, file, { strict: false })).unexpected).toEqual(['crown.weight']);
  });

  it.each([
    ['head.weight', 'F32', [3, 2], 'loadStored: one.safetensors: head.weight: expected [2,3], got [3,2]'],
    ['head.weight', 'I64', [2, 3], 'one.safetensors: head.weight: its dtype must be F32, F16 or BF16, got I64'],
    ['head.weight', 'I32', [2, 3], 'one.safetensors: head.weight: its dtype must be F32, F16 or BF16, got I32'],
    ['steps', 'F32', [2], 'one.safetensors: steps: its dtype must be I32, got F32'],
  ])('refuses what does not fit: %s as %s [%j]', async (name, dtype, shape, message) => {
    const to = new Tagger(1);
    await expect(loadStored(to, fileOf(name, dtype, shape), { strict: false })).rejects.toThrow(message);
  });

  it('checks all tensors before it copies one', async () => {
    const to = new Tagger(2);
    const file = await written(new Tagger(1));
    const tensors = new Map<string, { dtype: string; shape: readonly number[] }>([
      ...file.tensors,
      ['steps', { dtype: 'I32', shape: [3] }],
    ]);
    const read = vi.fn();
    await expect(loadStored(to, { name: 'bad', tensors, read })).rejects.toThrow('bad: steps: expected [2], got [3]');
    expect(read).not.toHaveBeenCalled();
  });
});

it('what means nothing without more than its tensors is neither stored nor loaded', async () => {
  class Packed extends Module {
    readonly codes: Tensor = buffer(fromBytes(Uint8Array.of(1, 2), [2], 'uint8'));
    override get loadRefusal() {
      return 'codes need a table';
    }
  }
  class Holder extends Module {
    readonly packed = new Packed();
  }
  const holder = new Holder();
  expect(() => storedState(holder)).toThrow('storedState: packed.codes: codes need a table');
  const file = fileOf('packed.codes', 'U8', [2]);
  await expect(loadStored(holder, file)).rejects.toThrow(
    'loadStored: one.safetensors: packed.codes: codes need a table',
  );
});
