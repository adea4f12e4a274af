import {
  buffer,
  compareNames,
  Linear,
  loadStateDict,
  Module,
  refuseDifferences,
  stateDict,
  stateTargets,
} from '@burin/nn';
import { DryDevice, Generator, type Tensor, tensor, zeros } from '@burin/tensor';
import { EXACT, expectClose } from '@burin/testing';
import { describe, expect, it } from 'vitest';

class Tied extends Module {
  readonly embed: Linear;
  readonly lmHead: Linear;
  readonly runningMean = buffer(zeros([2]));

  constructor(seed = 1) {
    super();
    this.embed = new Linear(3, 2, { bias: false, rng: new Generator(seed) });
    this.lmHead = Linear.from(this.embed.weight);
  }
}

class Many extends Module {
  readonly layers = Array.from({ length: 12 }, () => new Linear(1, 1, { bias: false, rng: new Generator(0) }));
}

const entries = (...pairs: [string, Tensor][]) => new Map(pairs);
const weight = () => tensor([1, 2, 3, 4, 5, 6], [2, 3]);

describe('stateDict', () => {
  it('holds the module’s own parameters and buffers, tied ones once', () => {
    const module = new Tied();
    expect([...stateDict(module)]).toEqual([
      ['embed.weight', module.embed.weight],
      ['running_mean', module.runningMean],
    ]);
    expect([...stateTargets(module).keys()]).toEqual(['embed.weight', 'lm_head.weight', 'running_mean']);
  });
});

describe('loadStateDict', () => {
  it('copies one module into another', async () => {
    const [from, to] = [new Tied(1), new Tied(2)];
    from.runningMean.fill_(3);
    expect(loadStateDict(to, stateDict(from))).toEqual({ missing: [], unexpected: [] });
    expectClose(await to.embed.weight.data(), await from.embed.weight.data(), EXACT);
    expectClose(await to.runningMean.data(), [3, 3], EXACT);
    expect(to.embed.weight).not.toBe(from.embed.weight);
  });

  it.each(['embed.weight', 'lm_head.weight'])('fills a tied parameter under %s', async (name) => {
    const module = new Tied();
    loadStateDict(module, entries([name, weight()], ['running_mean', zeros([2])]));
    expectClose(await module.embed.weight.data(), [1, 2, 3, 4, 5, 6], EXACT);
  });

  it('converts to how the parameter is stored', async () => {
    const layer = new Linear(1, 1, { bias: false, rng: new Generator(0), dtype: 'bfloat16' });
    loadStateDict(layer, entries(['weight', tensor([[1.001]])]));
    expect(layer.weight.dtype).toBe('bfloat16');
    expectClose(await layer.weight.data(), [1], EXACT); // the next bfloat16 is 1.0078
  });

  it('reports names that have no counterpart, and fills the rest, where it is not strict', async () => {
    const module = new Tied();
    const state = entries(['embed.weight', weight()], ['head.bias', zeros([1])]);
    const report = loadStateDict(module, state, { strict: false });
    expect(report).toEqual({ missing: ['running_mean'], unexpected: ['head.bias'] });
    expectClose(await module.embed.weight.data(), [1, 2, 3, 4, 5, 6], EXACT);
  });

  it('refuses missing and unexpected names, and lists them', () => {
    expect(() => loadStateDict(new Tied(), entries(['embed.weight', weight()], ['head.bias', zeros([1])]))).toThrow(
      new RangeError(
        'loadStateDict: the names must be those of the module: missing running_mean; unexpected head.bias',
      ),
    );
    expect(() => loadStateDict(new Tied(), entries(['running_mean', zeros([2])]))).toThrow(
      'missing embed.weight; unexpected none',
    );
    expect(() => loadStateDict(new Many(), new Map())).toThrow('layers.7.weight and 4 more; unexpected none');
  });

  it('names a tensor of another shape with both shapes, and then copies nothing', async () => {
    const module = new Tied();
    const before = await module.embed.weight.data();
    const state = entries(['embed.weight', weight()], ['running_mean', zeros([3])]);
    expect(() => loadStateDict(module, state)).toThrow('loadStateDict: running_mean: expected [2], got [3]');
    expect(() => loadStateDict(module, state, { strict: false })).toThrow('running_mean: expected [2], got [3]');
    expectClose(await module.embed.weight.data(), before, EXACT);
  });
});

describe('loadStateDict copies nothing', () => {
  const refusal = async (source: Tensor) => {
    const layer = new Linear(1, 1, { rng: new Generator(0) });
    const before = await layer.weight.data();
    let message = 'none';
    try {
      loadStateDict(layer, entries(['weight', tensor([[9]])], ['bias', source]));
    } catch (error) {
      message = String(error);
    }
    expectClose(await layer.weight.data(), before, EXACT);
    return message;
  };

  it('where a tensor was freed, is on another device, or is none', async () => {
    const freed = zeros([1]);
    freed.dispose();
    expect(await refusal(freed)).toContain('LifetimeError: loadStateDict: bias: a tensor of shape [1] is used after');
    expect(await refusal(zeros([1], { device: new DryDevice() }))).toContain(
      'DeviceError: loadStateDict: bias: all tensors must be on one device',
    );
    expect(await refusal([0] as never)).toContain('TypeError: loadStateDict: bias: a tensor is expected, got an array');
  });

  it('of a plain object, and says what to make of it', () => {
    expect(() => loadStateDict(new Tied(), { weight: zeros([1]) } as never)).toThrow(
      'loadStateDict: a Map of tensors by name is expected; of an object: new Map(Object.entries(state))',
    );
  });
});

describe('compareNames and refuseDifferences', () => {
  it('compare without reading a tensor', () => {
    const targets = stateTargets(new Tied());
    expect(compareNames(targets, ['lm_head.weight', 'x'])).toEqual({ missing: ['running_mean'], unexpected: ['x'] });
    refuseDifferences('test', { missing: [], unexpected: [] });
    expect(() => refuseDifferences('model.safetensors', { missing: ['a'], unexpected: [] })).toThrow(
      'model.safetensors: the names must be those of the module: missing a; unexpected none',
    );
  });
});
