import { inspect } from 'node:util';
import {
  arange,
  cpu,
  DtypeError,
  dropout,
  empty,
  fromBytes,
  full,
  Generator,
  ones,
  rand,
  randn,
  randperm,
  tensor,
  zeros,
} from '@burin/tensor';
import { describe, expect, it } from 'vitest';

describe('tensor', () => {
  it('takes its shape from the nesting', async () => {
    const x = tensor([
      [1, 2, 3],
      [4, 5, 6],
    ]);
    expect([x.shape, x.dtype, x.size, x.byteLength]).toEqual([[2, 3], 'float32', 6, 24]);
    expect([...(await x.data())]).toEqual([1, 2, 3, 4, 5, 6]);
    expect(await tensor(7).item()).toBe(7);
  });
  it('takes its dtype from a typed array', () => {
    expect(tensor(new Int32Array([1])).dtype).toBe('int32');
    expect(tensor(new Uint8Array([1])).dtype).toBe('uint8');
    expect(tensor(new Float64Array([1])).dtype).toBe('float32');
  });
  it('rounds to float16 and bfloat16, and widens on the way out', async () => {
    expect([...(await tensor([1.0009765625, 65519, 65520, 1e-8], undefined, { dtype: 'float16' }).data())]).toEqual([
      1.0009765625,
      65504,
      Infinity,
      0,
    ]);
    expect([...(await tensor([1.00390625, 1.01171875], undefined, { dtype: 'bfloat16' }).data())]).toEqual([
      1, 1.015625,
    ]);
  });
  it('refuses ragged nesting, wrong sizes, values that do not fit and other arrays', () => {
    expect(() => tensor([[1, 2], [3]])).toThrow('tensor: the nesting is ragged: expected 2 at depth 1, got 1');
    expect(() => tensor([[1], 2] as never)).toThrow('tensor: the nesting is ragged at depth 1');
    expect(() => tensor([1, [2, 3]])).toThrow('the nesting is ragged: expected a number at depth 1, got 2');
    expect(() => tensor([1, 2], [3])).toThrow('tensor: [3] holds 3 elements, got 2');
    expect(() => tensor([1.5], undefined, { dtype: 'int32' })).toThrow(
      'int32 holds whole numbers of its range, got 1.5 at 0',
    );
    expect(() => tensor([256], undefined, { dtype: 'uint8' })).toThrow('got 256 at 0');
    expect(() => tensor(new BigInt64Array(1) as never)).toThrow(DtypeError);
    expect(() => zeros([-1])).toThrow('a shape holds whole numbers of 0 or more, got [-1]');
  });
  it('says what was expected where a program without types gives something else', () => {
    const options = { dtype: 'int32' } as never;
    expect(() => tensor([1], options)).toThrow('tensor: expected an array of numbers such as [2, 3], got object');
    expect(() => zeros(3 as never)).toThrow('full: expected an array of numbers such as [2, 3], got number');
    expect(() => zeros([4]).reshape(4 as never)).toThrow('reshape: expected an array of numbers');
    expect(() => zeros([4]).permute(null as never)).toThrow(
      'permute: expected an array of numbers such as [2, 3], got null',
    );
    expect(() => zeros([4]).expand(4 as never)).toThrow('expand: expected an array of numbers');
    expect(() => zeros([2]).add([1, 2] as never)).toThrow(
      'add: a tensor is expected, got an array; make a tensor of it: tensor(...)',
    );
    const dtypes = 'expected one of float32, float16, bfloat16, int32, uint8, got float64';
    const float64 = { dtype: 'float64' as never };
    expect(() => tensor([1], [1], float64)).toThrow(`tensor: ${dtypes}`);
    expect(() => zeros([1], float64)).toThrow(`full: ${dtypes}`);
    expect(() => empty([1], float64)).toThrow(`empty: ${dtypes}`);
    expect(() => fromBytes(new Uint8Array(8), [1], 'float64' as never)).toThrow(`fromBytes: ${dtypes}`);
    expect(() => zeros([1]).to('gpu' as never)).toThrow(
      /^to: .* got gpu; await toDevice\(t, device\) copies to a device$/,
    );
    expect(() => rand([1], {} as never)).toThrow(
      'rand: random numbers need a generator: expected rng: new Generator(42), got undefined',
    );
    expect(() => randn([1], {} as never)).toThrow('randn: random numbers need a generator');
    const rng = new Generator(1);
    expect(() => rand([1], { rng, low: 2 })).toThrow(new RangeError('rand: low must be at most high, got 2 and 1'));
    expect(() => rand([1], { rng, high: Number.NaN })).toThrow('got 0 and NaN');
    expect(() => randn([1], { rng, std: -1 })).toThrow(new RangeError('randn: std must be 0 or more, got -1'));
    expect(() => dropout(zeros([1]), 0.1, undefined as never)).toThrow('dropout: random numbers need a generator');
  });
  it('names the device that is not there', () => {
    expect(() => zeros([1], { device: 'tpu' as never })).toThrow(
      "expected 'cpu', 'gpu' or an opened Device, got 'tpu'",
    );
  });
  it('has a shape of its own', () => {
    const shape = [2, 3];
    const options = { rng: new Generator(1) };
    const made = [tensor(new Float32Array(6), shape), full(shape, 1), empty(shape), rand(shape, options)];
    made.push(fromBytes(new Uint8Array(24), shape, 'float32'), randn(shape, options), ones([1, 3]).expand(shape));
    shape[0] = 9;
    for (const x of made) expect(x.shape).toEqual([2, 3]);
  });
  it('has no gradient where elements are not floating-point', () => {
    const before = cpu().memory.liveBuffers;
    expect(() => tensor(new Int32Array([1]), [1], { requiresGrad: true })).toThrow(
      'requiresGrad: only floating-point tensors have gradients, got int32',
    );
    expect(cpu().memory.liveBuffers).toBe(before);
  });
  it('keeps shapes with a length of 0', async () => {
    expect((await zeros([0, 3]).data()).length).toBe(0);
    expect([...(await zeros([0, 3]).sum(0).data())]).toEqual([0, 0, 0]);
  });
});

describe('other ways to make one', () => {
  it('full, arange, fromBytes', async () => {
    expect([...(await full([2], 3, { dtype: 'uint8' }).data())]).toEqual([3, 3]);
    expect([...(await arange(1, 8, 3).data())]).toEqual([1, 4, 7]);
    const bytes = new Uint8Array(Int32Array.of(5, -6).buffer);
    expect([...(await fromBytes(bytes, [2], 'int32').data())]).toEqual([5, -6]);
    expect(() => fromBytes(bytes, [3], 'int32')).toThrow('int32 [3] takes 12 bytes, got 8');
  });
});

describe('what a console shows', () => {
  it('has a line with the shape, the dtype and the first elements', () => {
    expect(
      String(
        tensor([
          [1, 0.1],
          [-3, 1e-9],
        ]),
      ),
    ).toBe('Tensor [2, 2] float32 on cpu: 1, 0.1, -3, 1e-9');
    expect(String(arange(0, 7))).toBe('Tensor [7] int32 on cpu: 0, 1, 2, 3, 4, 5, ...');
    expect(String(tensor(7, [], { requiresGrad: true }))).toBe('Tensor [] float32 on cpu, requiresGrad: 7');
    expect(inspect({ a: [[[tensor(new Uint8Array([1]))]]] }, { depth: 9 })).toContain('Tensor [1] uint8 on cpu: 1');
  });
  it('shows no elements that are not there, or not as they are stored', () => {
    const x = zeros([2]);
    x.dispose();
    expect(String(x)).toBe('Tensor [2] float32 on cpu, freed');
    expect(String(zeros([2], { dtype: 'float16' }))).toBe('Tensor [2] float16 on cpu');
    const unused = empty([2]);
    expect(String(unused)).toBe('Tensor [2] float32 on cpu');
    expect(unused.storage.isHeld).toBe(false);
  });
});

describe('Generator', () => {
  it('gives the same numbers for the same seed, and goes on where its state was taken', async () => {
    const first = new Generator(3);
    await rand([5], { rng: first });
    const { state } = first;
    const a = await randn([6], { rng: first }).data();
    const b = await randn([6], { rng: Generator.fromState(state) }).data();
    expect(a).toEqual(b);
    expect(() => first.restore({ seed: 4, offset: 0 })).toThrow("this state is of seed 4, the generator's is 3");
  });
  it('refuses a seed that is not a whole number', () => {
    expect(() => new Generator(-1)).toThrow('the seed must be a whole number from 0 to 2^53 - 1, got -1');
    expect(() => new Generator(1, 0.5)).toThrow('the offset must be a whole number from 0 to 2^53 - 1, got 0.5');
    expect(() => Generator.fromState({ seed: 1 } as never)).toThrow('the offset must be a whole number');
    expect(() => new Generator(1).restore({ seed: 1 } as never)).toThrow('the offset must be a whole number');
  });
  it('permutes: each index once', async () => {
    const order = await randperm(100, new Generator(1));
    expect([...order].sort((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i));
    expect([...order]).not.toEqual([...order].sort((a, b) => a - b));
  });
});

describe('in place', () => {
  it('changes the tensor and says so when it must not', async () => {
    const x = tensor([1, 2, 3]);
    x.add_(tensor([1, 1, 1]), 2)
      .mul_(2)
      .mul_(tensor(0.5));
    expect([...(await x.data())]).toEqual([3, 4, 5]);
    x.assign_(tensor([9]), 0, 1);
    expect([...(await x.data())]).toEqual([3, 9, 5]);
    expect(() => x.assign_(tensor([9, 9]), 0, 2)).toThrow('[2] does not lie inside [3] at 2 of axis 0');
    expect(() => x.assign_(tensor([9]), 0, NaN)).toThrow('[1] does not lie inside [3] at NaN of axis 0');
    expect(() => x.assign_(tensor([9]), 0, 0.5)).toThrow('at 0.5 of axis 0');
    const recorded = tensor([1], undefined, { requiresGrad: true }).mul(2);
    expect(() => recorded.add_(tensor([1]))).toThrow(
      'add_: a tensor that an operation recorded is not changed in place',
    );
  });
  it('counts the memory of the default device', () => {
    const before = cpu().memory.liveBytes;
    const x = zeros([10]);
    expect(cpu().memory.liveBytes - before).toBe(40);
    x.dispose();
    x.dispose();
    expect(cpu().memory.liveBytes).toBe(before);
  });
  it('takes none for an empty tensor before it is used, whoever looks at it', async () => {
    const before = cpu().memory.liveBytes;
    const unused = empty([1000]);
    unused.reshape([10, 100]).dispose();
    unused.dispose();
    expect(cpu().memory.liveBytes).toBe(before);
    const x = empty([2, 2], { dtype: 'float16' });
    const flat = x.reshape([4]);
    expect(x.storage.isHeld).toBe(false);
    flat.fill_(2);
    expect(cpu().memory.liveBytes - before).toBe(8);
    expect([...(await x.data())]).toEqual([2, 2, 2, 2]);
    x.dispose();
    expect(cpu().memory.liveBytes - before).toBe(8);
    flat.dispose();
    expect(cpu().memory.liveBytes).toBe(before);
  });
});
