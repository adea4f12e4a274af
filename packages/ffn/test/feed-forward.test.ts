import {
  FeedForward,
  type FeedForwardOptions,
  type FeedForwardParts,
  GatedFeedForward,
  gatedHiddenWidth,
} from '@burin/ffn';
import { Dropout, Linear, loadStateDict, type Module, Parameter } from '@burin/nn';
import { Generator, ones, type Tensor } from '@burin/tensor';
import { EXACT, expectClose, expectFixture, type Fixture, fixtureTensor, readFixture } from '@burin/testing';
import { describe, expect, it } from 'vitest';

const rng = () => new Generator(0);

/** Loads a fixture's weights by their names, runs it, and compares the output and every gradient. */
async function expectBlock(fixture: Fixture, block: Module & { forward(x: Tensor): Tensor }): Promise<void> {
  const weights = Object.entries(fixture.manifest.tensors).filter(([, { role }]) => role === 'weight');
  loadStateDict(block, new Map(weights.map(([name]) => [name, fixtureTensor(fixture, name)])));
  const x = fixtureTensor(fixture, 'x', { requiresGrad: true });
  const y = block.forward(x);
  y.backward(fixtureTensor(fixture, 'd_out'));
  await expectFixture(fixture, 'out', y);
  await expectFixture(fixture, 'grad.x', x.grad);
  for (const [name, parameter] of block.namedParameters()) {
    await expectFixture(fixture, `grad.${name}`, parameter.grad);
  }
}

describe('FeedForward', () => {
  it.each([
    ['mlp_relu', 'relu'],
    ['mlp_gelu_erf', 'gelu'],
    ['mlp_gelu_tanh', 'gelu_new'],
    ['mlp_silu', 'silu'],
  ] as const)('agrees with PyTorch: %s', async (name, activation) => {
    const fixture = readFixture('ffn', name);
    const [width, hidden] = [fixture.number('hidden'), fixture.number('intermediate')];
    await expectBlock(fixture, new FeedForward(width, hidden, { activation, rng: rng() }));
  });

  it('is the same of parts that are there already', async () => {
    const [fc1, fc2] = [new Linear(3, 8, { rng: rng() }), new Linear(8, 3, { rng: rng() })];
    const block = new FeedForward({ fc1, fc2, activation: 'relu' });
    const x = ones([2, 3]);
    expectClose(await block.forward(x).data(), await fc2.forward(fc1.forward(x).relu()).data(), EXACT);
  });

  it('has no bias where none is wanted', () => {
    const block = new FeedForward(3, 8, { bias: false, rng: rng() });
    expect([...block.namedParameters()].map(([name]) => name)).toEqual(['fc1.weight', 'fc2.weight']);
  });

  it('drops hidden activations in training alone', async () => {
    // fc2 sums 256 hidden ones: without dropout 256; with it, twice the number of those that are left
    const fc1 = new Linear(1, 256, { rng: rng() });
    const fc2 = Linear.from(new Parameter(ones([1, 256])));
    const block = new FeedForward({ fc1, fc2, activation: (x) => x.mul(0).add(1), dropout: new Dropout(0.5, rng()) });
    const x = ones([1, 1]);
    expect(await block.eval().forward(x).item()).toBe(256);
    const sum = await block.train().forward(x).item();
    expect(sum).not.toBe(256);
    expect(sum % 2).toBe(0);
    expect(Math.abs(sum / 2 - 128)).toBeLessThan(40); // five standard deviations of 256 coins
  });

  it('refuses parts that do not fit, an unknown activation and a dropout of 1', () => {
    const fc1 = new Linear(3, 8, { rng: rng() });
    expect(() => new FeedForward({ fc1, fc2: new Linear(7, 3, { rng: rng() }) })).toThrow(
      'FeedForward: fc2 must take what fc1 gives: expected 8, got 7',
    );
    expect(() => new FeedForward(3, 8, { activation: 'sine' as 'relu', rng: rng() })).toThrow("there is no 'sine'");
    expect(() => new FeedForward(3, 8, { dropout: 1, rng: rng() })).toThrow('p must be in [0, 1), got 1');
    expect(() => new FeedForward(3, 8, { activation: null as unknown as 'relu', rng: rng() })).toThrow("no 'null'");
  });

  it('refuses options that are none, or none at all', () => {
    const [fc1, fc2] = [new Linear(3, 8, { rng: rng() }), new Linear(8, 3, { rng: rng() })];
    expect(() => new FeedForward(3, 8, { act: 'relu', rng: rng() } as FeedForwardOptions)).toThrow(
      'FeedForward: there is no option act; expected activation, bias, dropout, rng',
    );
    expect(() => new FeedForward({ fc1, fc2, act: 'relu' } as FeedForwardParts)).toThrow('there is no option act');
    expect(() => new (FeedForward as unknown as new (width: number, hidden: number) => unknown)(3, 8)).toThrow(
      'FeedForward: options have names: expected { activation, bias, dropout, rng }, got undefined',
    );
  });
});

describe('GatedFeedForward', () => {
  it.each([
    ['swiglu', 'silu'],
    ['geglu', 'gelu'],
    ['reglu', 'relu'],
  ] as const)('agrees with transformers: %s', async (name, activation) => {
    const fixture = readFixture('ffn', name);
    const [width, hidden] = [fixture.number('hidden'), fixture.number('intermediate')];
    await expectBlock(fixture, new GatedFeedForward(width, hidden, { activation, rng: rng() }));
  });

  it('has biases where they are wanted', () => {
    const block = new GatedFeedForward(3, 8, { bias: true, rng: rng() });
    expect([...block.namedParameters()].map(([name]) => name)).toEqual([
      'gate_proj.weight',
      'gate_proj.bias',
      'up_proj.weight',
      'up_proj.bias',
      'down_proj.weight',
      'down_proj.bias',
    ]);
  });

  it('drops hidden activations in training alone', async () => {
    const block = new GatedFeedForward(4, 64, { dropout: 0.5, rng: rng() });
    const still = await block
      .eval()
      .forward(ones([1, 4]))
      .data();
    expect(
      await block
        .train()
        .forward(ones([1, 4]))
        .data(),
    ).not.toEqual(still);
    expect(
      await block
        .eval()
        .forward(ones([1, 4]))
        .data(),
    ).toEqual(still);
  });

  it('keeps live memory where it was once its output and gradients are freed', () => {
    const block = new GatedFeedForward(4, 8, { rng: rng() });
    const x = ones([3, 4], { requiresGrad: true });
    const { memory } = x.device;
    const before = memory.liveBuffers;
    const y = block.forward(x);
    const loss = y.sum();
    loss.backward();
    for (const used of [y, loss, x.grad!]) used.dispose();
    block.zeroGrad();
    expect(memory.liveBuffers).toBe(before);
  });

  it('refuses parts that do not fit and an unknown activation', () => {
    const [wide, narrow] = [new Linear(3, 8, { rng: rng() }), new Linear(3, 7, { rng: rng() })];
    const downProj = new Linear(8, 3, { rng: rng() });
    expect(() => new GatedFeedForward({ gateProj: wide, upProj: narrow, downProj })).toThrow(
      'GatedFeedForward: upProj must give and downProj must take as much as gateProj gives: expected 8 and 8, got 7 and 8',
    );
    expect(() => new GatedFeedForward(3, 8, { activation: 'glu' as 'silu', rng: rng() })).toThrow("there is no 'glu'");
    expect(() => new GatedFeedForward(3, 8, { activation: null as unknown as 'silu', rng: rng() })).toThrow(
      "no 'null'",
    );
    expect(() => new GatedFeedForward(3, 8, { act: 'gelu', rng: rng() } as FeedForwardOptions)).toThrow(
      'GatedFeedForward: there is no option act; expected activation, bias, dropout, rng',
    );
    const parts = { gateProj: wide, upProj: wide, downProj, act: 'gelu' };
    expect(() => new GatedFeedForward(parts)).toThrow('there is no option act; expected gateProj,');
  });
});

describe('gatedHiddenWidth', () => {
  it('is two thirds of four times the width, rounded up', () => {
    expect(gatedHiddenWidth(4096, { multipleOf: 256 })).toBe(11008); // Llama 7B
    expect(gatedHiddenWidth(5120, { multipleOf: 256 })).toBe(13824); // Llama 13B
    expect(gatedHiddenWidth(6)).toBe(16);
    expect(gatedHiddenWidth(64)).toBe(171);
    expect(gatedHiddenWidth(64, { multipleOf: 171 })).toBe(171);
  });

  it('refuses what is no width', () => {
    expect(() => gatedHiddenWidth(0)).toThrow('gatedHiddenWidth: width must be a whole number of 1 or more, got 0');
    expect(() => gatedHiddenWidth(64, 256 as never)).toThrow('gatedHiddenWidth: options have names');
    expect(() => gatedHiddenWidth(64, { multipleOf: 1.5 })).toThrow(
      'multipleOf must be a whole number of 1 or more, got 1.5',
    );
  });
});
