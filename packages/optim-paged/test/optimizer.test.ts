import { Adam, type AdamOptions, AdamW, type OptimizerState, SGD } from '@burin/optim-paged';
import { arange, cpu, tensor, zeros } from '@burin/tensor';
import { EXACT, expectClose } from '@burin/testing';
import { afterEach, describe, expect, it } from 'vitest';
import { deviceWithoutReadNow, free, parameter, parameters, setGradient, setGradients, values } from './support.js';

/** A few roundings of float32, each 6e-8, on numbers of about 1. */
const FLOAT32 = { rtol: 1e-6, atol: 1e-7 };

const made: { dispose(): void }[] = [];
function kept<T extends { dispose(): void }>(thing: T): T {
  made.push(thing);
  return thing;
}
afterEach(() => {
  for (const thing of made.splice(0)) thing.dispose();
});

describe('step', () => {
  // By hand: the first step of Adam goes by lr · sign(g), after p *= 1 − lr · weightDecay.
  it('moves against the sign of the first gradient', async () => {
    const p = kept(parameter([1, -2]));
    const optimizer = kept(new AdamW([p], { lr: 0.1, weightDecay: 0.5 }));
    setGradient(p, [3, -5]);
    await optimizer.step();
    expectClose(await p.data(), [0.95 - 0.1, -1.9 + 0.1], FLOAT32);
  });

  it('has the defaults of PyTorch', () => {
    const p = kept(parameter([1]));
    const betas = [0.9, 0.999];
    expect(new AdamW([p]).paramGroups[0]).toEqual({ lr: 1e-3, betas, eps: 1e-8, weightDecay: 1e-2, params: [p] });
    expect(new Adam([p]).paramGroups[0]).toEqual({ lr: 1e-3, betas, eps: 1e-8, weightDecay: 0, params: [p] });
    const sgd = { lr: 1e-3, momentum: 0, dampening: 0, weightDecay: 0, nesterov: false };
    expect(new SGD([p]).paramGroups[0]).toEqual({ ...sgd, params: [p] });
  });

  // By hand: b = g at first whatever the dampening, then b = 0.5 b + (1 − 0.25) g.
  it('dampens the momentum from the second step on', async () => {
    const p = kept(parameter([0]));
    const optimizer = kept(new SGD([p], { lr: 1, momentum: 0.5, dampening: 0.25 }));
    setGradient(p, [4]);
    await optimizer.step();
    expect([...(await p.data())]).toEqual([-4]);
    await optimizer.step();
    expect([...(await p.data())]).toEqual([-4 - (2 + 3)]);
  });

  it('leaves a parameter without gradient alone: its value, its state and its count of steps', async () => {
    const params = parameters([3, 5], 1);
    params.forEach(kept);
    const optimizer = kept(new AdamW(params));
    setGradients(params, 0);
    await optimizer.step();
    const [, valueBefore] = await values(params);
    const before = await optimizer.stateDict();
    setGradients(params, 1, (i) => i === 1);
    await optimizer.step();
    const after = await optimizer.stateDict();
    expect((await values(params))[1]).toEqual(valueBefore);
    expect(after.state['1']).toEqual(before.state['1']);
    expect([after.state['0']!.step, after.state['1']!.step]).toEqual([2, 1]);
    optimizer.zeroGrad();
  });

  it('marks the change, so that a backward pass that needs the old value can tell', async () => {
    const p = kept(parameter([1, 2]));
    const optimizer = kept(new SGD([p]));
    setGradient(p, [1, 1]);
    const { version } = p.storage;
    await optimizer.step();
    expect(p.storage.version).toBeGreaterThan(version);
    optimizer.zeroGrad();
    expect(p.grad).toBeNull();
  });

  it('is done when it returns, on a device that the host sees into', async () => {
    const p = kept(parameter([1]));
    const optimizer = kept(new AdamW([p], { lr: 0.1, weightDecay: 0 }));
    setGradient(p, [1]);
    const stepping = optimizer.step();
    const now = new Float32Array(cpu().readNow(p.storage.buffer).buffer)[0]!;
    expectClose([now], [0.9], FLOAT32);
    await stepping;
    p.zeroGrad();
  });

  it('takes up momentum that is switched on in the middle of a run', async () => {
    const p = kept(parameter([0]));
    const optimizer = kept(new SGD([p], { lr: 1 }));
    setGradient(p, [1]);
    await optimizer.step();
    optimizer.paramGroups[0]!.momentum = 0.5;
    await optimizer.step(); // b = 1
    await optimizer.step(); // b = 1.5
    expect([...(await p.data())]).toEqual([-1 - 1 - 1.5]);
    p.zeroGrad();
  });
});

describe('parameter groups', () => {
  it('have what they say, and the rest from the optimizer', () => {
    const [a, b] = parameters([2, 3], 1).map(kept) as [ReturnType<typeof parameter>, ReturnType<typeof parameter>];
    const optimizer = new AdamW([{ params: [a], lr: 5 }, { params: new Set([b]) }], { lr: 7, eps: 0.5 });
    optimizer.addParamGroup({ params: [['head', kept(parameter([1]))]], weightDecay: 3 });
    expect(optimizer.paramGroups.map(({ lr, eps, weightDecay }) => [lr, eps, weightDecay])).toEqual([
      [5, 0.5, 1e-2],
      [7, 0.5, 1e-2],
      [7, 0.5, 3],
    ]);
  });

  it('that come later are trained from then on', async () => {
    const params = parameters([9, 9], 1);
    params.forEach(kept);
    const optimizer = kept(new AdamW([params[0]!], { pageBytes: 32, deviceBytes: 64 }));
    setGradients(params, 0);
    await optimizer.step();
    optimizer.addParamGroup({ params: [params[1]!], lr: 1 });
    await optimizer.step();
    const { state, paramGroups } = await optimizer.stateDict();
    expect([state['0']!.step, state['1']!.step]).toEqual([2, 1]);
    expect(paramGroups.map((group) => group.params)).toEqual([['0'], ['1']]);
    optimizer.zeroGrad();
  });

  it('count a tied parameter once', async () => {
    const p = kept(parameter([1]));
    const optimizer = kept(new SGD([['wte', p] as const, ['lm_head', p] as const], { lr: 1 }));
    setGradient(p, [0.25]);
    await optimizer.step();
    expect([...(await p.data())]).toEqual([0.75]);
    expect(optimizer.paramGroups[0]!.params).toEqual([p]);
    p.zeroGrad();
  });
});

describe('stateDict', () => {
  async function trained(steps: number, named: boolean) {
    const params = parameters([7, 10], 1);
    const given = named ? params.map((param, i) => [`layer.${i}`, param] as const) : params;
    const optimizer = new AdamW(given, { lr: 0.1, pageBytes: 32, deviceBytes: 64 });
    for (let step = 0; step < steps; step++) {
      setGradients(params, step);
      await optimizer.step();
    }
    return { params, optimizer };
  }

  it('resumes bit for bit in the middle of a run, with other pages, after a trip through JSON', async () => {
    const whole = await trained(6, false);
    const first = await trained(3, false);
    first.optimizer.paramGroups[0]!.lr = 0.1;
    const state = await first.optimizer.stateDict();
    const second = new AdamW(first.params, { lr: 9, weightDecay: 9, pageBytes: 64, deviceBytes: 64 });
    second.loadStateDict(throughJson(state));
    for (let step = 3; step < 6; step++) {
      setGradients(first.params, step);
      await second.step();
    }
    expect(await values(first.params)).toEqual(await values(whole.params));
    expect(await second.stateDict()).toEqual(await whole.optimizer.stateDict());
    for (const optimizer of [whole.optimizer, first.optimizer, second]) optimizer.dispose();
    free([...whole.params, ...first.params]);
  });

  it('is a copy: what follows does not change it', async () => {
    const { params, optimizer } = await trained(2, false);
    const state = await optimizer.stateDict();
    const copy = throughJson(state);
    await optimizer.step();
    expect(state).toEqual(copy);
    optimizer.loadStateDict(state);
    await optimizer.step();
    expect(state).toEqual(copy);
    optimizer.dispose();
    free(params);
  });

  it('goes by name where parameters have names', async () => {
    const { params, optimizer } = await trained(1, true);
    const { state, paramGroups } = await optimizer.stateDict();
    expect(Object.keys(state)).toEqual(['layer.0', 'layer.1']);
    expect(paramGroups).toEqual([
      { lr: 0.1, betas: [0.9, 0.999], eps: 1e-8, weightDecay: 1e-2, params: ['layer.0', 'layer.1'] },
    ]);
    optimizer.dispose();
    free(params);
  });

  it('of another model is refused, and nothing has changed', async () => {
    const { params, optimizer } = await trained(1, true);
    const state = await optimizer.stateDict();
    const refuses = (change: (state: Loose) => void, message: string) => {
      const other = throughJson(state) as unknown as Loose;
      change(other);
      expect(() => optimizer.loadStateDict(other as unknown as typeof state)).toThrow(message);
    };
    refuses(
      (s) => s.paramGroups.pop(),
      'AdamW: the loaded state must have the groups of this optimizer: expected 1, got 0',
    );
    refuses(
      (s) => s.paramGroups[0]!.params.pop(),
      'AdamW: the loaded state must have the parameters of this optimizer, in its order: group 0 has 2, got 1; ' +
        'the first that differs: expected layer.1, got none',
    );
    refuses((s) => {
      s.state.extra = s.state['layer.0']!;
    }, 'AdamW: the loaded state has parameter extra, which is in no group');
    refuses((s) => {
      s.state['layer.0']!.step = 0;
    }, 'AdamW: the loaded state of parameter layer.0: step must be a whole number of 1 or more, got 0');
    refuses((s) => {
      delete s.state['layer.0']!.buffers.expAvgSq;
    }, 'AdamW: the loaded state of parameter layer.0: expected expAvg, expAvgSq as Float32Array, got expAvg');
    refuses((s) => {
      s.state['layer.0']!.buffers.expAvg = JSON.parse(JSON.stringify(new Float32Array(2))); // as plain JSON has it
    }, 'expected expAvg, expAvgSq as Float32Array, got expAvg as object, expAvgSq');
    refuses((s) => {
      s.state['layer.1']!.buffers.expAvg = new Float32Array(3);
    }, 'AdamW: the loaded state of parameter layer.1: expAvg: expected 10 elements, got 3');
    refuses((s) => {
      s.paramGroups[0]!.lr = -1;
    }, 'AdamW: lr must be a finite number of 0 or more, got -1');
    expect(await optimizer.stateDict()).toEqual(state);
    optimizer.dispose();
    free(params);
  });
});

interface Loose {
  state: Record<string, { step: number; buffers: Record<string, Float32Array> }>;
  paramGroups: { lr: number; params: string[] }[];
}

/** As a file would give it back: typed arrays become arrays of their own. */
function throughJson<H>(state: OptimizerState<H>): OptimizerState<H> {
  const text = JSON.stringify(state, (_, value) => (value instanceof Float32Array ? { floats: [...value] } : value));
  return JSON.parse(text, (_, value) => (value?.floats ? Float32Array.from(value.floats) : value));
}

describe('messages', () => {
  const p = parameter([1, 2]);

  it.each([
    [{ lr: -1 }, 'AdamW: lr must be a finite number of 0 or more, got -1'],
    [{ eps: Number.NaN }, 'AdamW: eps must be a finite number of 0 or more, got NaN'],
    [{ weightDecay: -0.1 }, 'AdamW: weightDecay must be a finite number of 0 or more, got -0.1'],
    [{ betas: [0.9, 1] as const }, 'AdamW: betas must be two numbers from 0 to less than 1, got [0.9,1]'],
    [{ weight_decay: 0.1 }, 'AdamW: there is no option weight_decay; expected lr, betas, eps, weightDecay'],
    [
      { pageBytes: 100 },
      'AdamW: pageBytes must be a multiple of 32 (4 float32 elements of each of 2 states), got 100; 96 would do',
    ],
    [{ pageBytes: 0 }, 'got 0; 32 would do'],
    [
      { pageBytes: 64, deviceBytes: 63 },
      'AdamW: deviceBytes must hold a page at least: expected 64 or more, got 63; ' +
        'raise it, or make pageBytes smaller (a multiple of 32)',
    ],
    [{ deviceBytes: 31 }, 'expected 32 or more, got 31'],
    [{ deviceBytes: '64MB' }, 'AdamW: deviceBytes must be a number of bytes greater than 0, got 64MB'],
    [{ betas: ['0.9', '0.99'] }, 'betas must be two numbers from 0 to less than 1, got [0.9,0.99]'],
    [1e-2, 'AdamW: expected options such as { lr: 1e-3 }, got 0.01'],
  ])('for options %j', (options, message) => {
    expect(() => new AdamW([p], options as AdamOptions)).toThrow(message);
  });

  it('for hyperparameters of SGD', () => {
    expect(() => new SGD([p], { momentum: -1 })).toThrow('SGD: momentum must be a finite number of 0 or more, got -1');
    expect(() => new SGD([p], { dampening: Number.NaN })).toThrow('SGD: dampening must be a finite number, got NaN');
    expect(() => new SGD([p], { nesterov: true })).toThrow(
      'SGD: nesterov needs a momentum greater than 0 and no dampening, got momentum 0 and dampening 0',
    );
    expect(() => new SGD([p], { pageBytes: 24 })).toThrow('a multiple of 16 (4 float32 elements of each of 1 state)');
  });

  it('for no parameters, or the same in two groups', () => {
    expect(() => new AdamW({ forward() {} } as never)).toThrow(
      'AdamW: expected parameters, such as model.parameters(), got object',
    );
    expect(() => new AdamW([])).toThrow(
      'AdamW: there is no parameter to train; expected one or more, got an empty list',
    );
    expect(() => new AdamW([{ params: [p] }, { params: [['again', p]] }])).toThrow(
      'AdamW: a parameter belongs to one group: expected again in one, got it in group 0 and in group 1; ' +
        'leave it out of one of them',
    );
    const optimizer = new AdamW([p]);
    expect(() => optimizer.addParamGroup({ params: [p] })).toThrow('got it in group 0 and in group 1');
    expect(optimizer.paramGroups).toHaveLength(1);
  });

  it('for two parameters of one name', () => {
    const q = kept(parameter([1]));
    expect(() => new AdamW([['a', p] as const, ['a', q] as const])).toThrow(
      'AdamW: parameters must have names of their own, got a for two of them',
    );
  });

  it('for what cannot be trained', async () => {
    const half = kept(zeros([2], { dtype: 'float16', requiresGrad: true }));
    const remedy =
      "expected float32 to be trained, got float16; train a float32 copy (new Parameter(parameter.to('float32'))), " +
      'or freeze it: requiresGrad = false';
    expect(() => new AdamW([['model.embed', half] as const])).toThrow(`AdamW: parameter model.embed: ${remedy}`);
    half.requiresGrad = false;
    const optimizer = new AdamW([half, p]); // frozen: no matter how it is stored
    half.grad = kept(tensor([1, 1]));
    await expect(optimizer.step()).rejects.toThrow(`AdamW: parameter 0: ${remedy}`);
    half.grad = null;
  });

  it('for a gradient of another kind', async () => {
    const q = kept(parameter([1, 2]));
    q.grad = kept(arange(0, 2));
    const optimizer = kept(new SGD([q]));
    await expect(optimizer.step()).rejects.toThrow(
      'SGD: parameter 0: expected a gradient of float32 [2], got int32 [2]',
    );
    q.grad = null;
  });

  it('for results of operations, and things that are no tensors', () => {
    const product = kept(p.mul(p));
    expect(() => new AdamW([product])).toThrow(
      'AdamW: parameter 0 is the result of mul, which no gradient is kept for; ' +
        'give the tensors that it was made from, or detach() it',
    );
    expect(() => new AdamW([['a', 3 as never] as const])).toThrow(
      'AdamW: parameter a: a tensor is expected, got number',
    );
    expect(() => new AdamW([p, { params: [] }] as never)).toThrow(
      'AdamW: parameter 1: a tensor is expected, got object',
    );
    expect(() => new AdamW([{ params: p as never }])).toThrow(
      'AdamW: expected parameters, such as model.parameters(), got object',
    );
  });

  it.each([
    ['lr', Number.NaN, 'AdamW: lr must be a finite number of 0 or more, got NaN'],
    ['lr', undefined, 'got undefined'],
    ['betas', [0.9, 1], 'AdamW: betas must be two numbers from 0 to less than 1, got [0.9,1]'],
  ])('for %s that was set to %j between steps, before a parameter is spoiled', async (name, value, message) => {
    const q = kept(parameter([1, 2]));
    const optimizer = kept(new AdamW([q]));
    setGradient(q, [1, 1]);
    Object.assign(optimizer.paramGroups[0]!, { [name]: value });
    await expect(optimizer.step()).rejects.toThrow(message);
    expectClose(await q.data(), [1, 2], EXACT);
    Object.assign(optimizer.paramGroups[0]!, { lr: 0.1, betas: [0.9, 0.999] });
    await optimizer.step();
    expect((await q.data())[0]).toBeCloseTo(0.9, 2); // its first step: lr · sign(g), and a little decay
    q.zeroGrad();
  });

  it('for a state that is none', async () => {
    const optimizer = kept(new AdamW([p]));
    const expected = 'AdamW: expected what stateDict() resolves to, { state, paramGroups }, got';
    const other = kept(new AdamW([p]));
    const unawaited = other.stateDict();
    expect(() => optimizer.loadStateDict(unawaited as never)).toThrow(new TypeError(`${expected} a promise: await it`));
    expect(() => optimizer.loadStateDict({} as never)).toThrow(`${expected} object`);
    expect(() => optimizer.loadStateDict(undefined as never)).toThrow(`${expected} undefined`);
    const { paramGroups } = await unawaited;
    expect(() => optimizer.loadStateDict({ state: { 0: { step: 1 } as never }, paramGroups })).toThrow(
      'AdamW: the loaded state of parameter 0: expected expAvg, expAvgSq as Float32Array, got nothing',
    );
  });

  it('for parameters on two devices', () => {
    const q = kept(parameter([1], { device: deviceWithoutReadNow() }));
    expect(() => new AdamW([p, q])).toThrow(
      'AdamW: parameters must be on one device: expected cpu, got parameter 1 on another (cpu); ' +
        'make an optimizer for each device',
    );
  });

  it('for use after dispose()', async () => {
    const optimizer = new AdamW([p]);
    optimizer.dispose();
    await expect(optimizer.step()).rejects.toThrow('AdamW.step: the optimizer was disposed; make a new one');
    expect(() => optimizer.loadStateDict({ state: {}, paramGroups: [] })).toThrow('the optimizer was disposed');
    const q = parameter([1]);
    const other = new SGD([q]);
    setGradient(q, [1]);
    q.dispose();
    await expect(other.step()).rejects.toThrow(
      'SGD.step: parameter 0: a tensor of shape [1] is used after it was freed',
    );
    q.zeroGrad();
  });
});
