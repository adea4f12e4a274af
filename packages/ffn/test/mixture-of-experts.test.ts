import { ExpertRouter, GatedFeedForward, MixtureOfExperts, type RoutingOptions } from '@burin/ffn';
import { Parameter } from '@burin/nn';
import { cpu, DryDevice, Generator, randn, scope, type Tensor, tensor, withDevice, zeros } from '@burin/tensor';
import { checkGradient, EXACT, expectClose, seededRandom, type Tolerance } from '@burin/testing';
import { describe, expect, it } from 'vitest';

/** The same sums in another order. */
const REORDERED: Tolerance = { rtol: 1e-5, atol: 1e-6 };
const rng = () => new Generator(4);

/** A router that finds expert e of each token as likely as softmax of its own input: the weight is the identity. */
function identityRouter(experts: number, options: RoutingOptions): ExpertRouter {
  const identity = Float32Array.from({ length: experts ** 2 }, (_, i) => (i % (experts + 1) === 0 ? 1 : 0));
  return new ExpertRouter(new Parameter(tensor(identity, [experts, experts])), options);
}

const softmax = (values: readonly number[]) => {
  const sum = values.reduce((total, value) => total + Math.exp(value), 0);
  return values.map((value) => Math.exp(value) / sum);
};

describe('ExpertRouter', () => {
  const logits = [
    [1, 3, 2, -1],
    [0, -2, 5, 4],
  ];
  const p = logits.map(softmax) as [number[], number[]];
  const route = (options: RoutingOptions) => identityRouter(4, options).forward(tensor(logits));

  it('gives the most probable experts their probabilities', async () => {
    const { weights, chosen, probabilities } = route({ topK: 2 });
    expectClose(await probabilities.data(), p.flat(), REORDERED);
    expect(Array.from(await chosen.data())).toEqual([0, 1, 1, 0, 0, 0, 1, 1]);
    expectClose(await weights.data(), [0, p[0][1]!, p[0][2]!, 0, 0, 0, p[1][2]!, p[1][3]!], REORDERED);
  });

  it('normalizes them, then scales', async () => {
    const { weights } = route({ topK: 2, normalize: true, scale: 3 });
    const [first, second] = [p[0][1]! + p[0][2]!, p[1][2]! + p[1][3]!];
    const expected = [0, p[0][1]! / first, p[0][2]! / first, 0, 0, 0, p[1][2]! / second, p[1][3]! / second];
    expectClose(
      await weights.data(),
      expected.map((value) => 3 * value),
      REORDERED,
    );
  });

  it('stays within the best groups', async () => {
    // groups (1, 3) and (2, −1): the first has the best expert, so that 1 goes before 2; in the second row (5, 4)
    const { chosen } = route({ topK: 2, groups: 2, topGroups: 1 });
    expect(Array.from(await chosen.data())).toEqual([1, 1, 0, 0, 0, 0, 1, 1]);
    const both = route({ topK: 2, groups: 2, topGroups: 2 });
    expect(Array.from(await both.chosen.data())).toEqual([0, 1, 1, 0, 0, 0, 1, 1]);
  });

  it('passes gradients through the probabilities of all, for a loss that balances them', async () => {
    const router = identityRouter(4, { topK: 2 });
    scope(() => {
      const { chosen, probabilities } = router.forward(tensor(logits));
      chosen.mean(0).mul(probabilities.mean(0)).sum().backward();
    });
    const shares = [0, 1 / 2, 1, 1 / 2];
    const slopes = p.map((row) => {
      const mean = row.reduce((sum, value, e) => sum + value * shares[e]!, 0);
      return row.map((value, e) => (value * (shares[e]! - mean)) / logits.length);
    });
    const expected = slopes[0]!.map((_, e) =>
      logits[0]!.map((_, c) => slopes.reduce((s, d, n) => s + d[e]! * logits[n]![c]!, 0)),
    );
    expectClose(await router.weight.grad!.data(), expected.flat(), REORDERED);
  });

  it('takes the first of equal ones, each once', async () => {
    const { chosen } = identityRouter(3, { topK: 2 }).forward(tensor([[7, 7, 7]]));
    expect(Array.from(await chosen.data())).toEqual([1, 1, 0]);
  });

  it.each<[string, RoutingOptions]>([
    ['probabilities', { topK: 2 }],
    ['normalized, scaled', { topK: 2, normalize: true, scale: 2.5 }],
    ['of groups', { topK: 1, groups: 2, topGroups: 1 }],
  ])('has the gradient of its weights: %s', async (_name, options) => {
    const { topK, groups = 1, topGroups = groups, normalize = false, scale = 1 } = options;
    await checkGradient({
      shapes: [
        [5, 3],
        [4, 3],
      ],
      run: ([x, weight]) => new ExpertRouter(weight as Parameter, options).forward(x!).weights,
      reference: ([x, weight]) =>
        Array.from({ length: 5 }, (_, n) => {
          const dots = Array.from({ length: 4 }, (_, e) =>
            [0, 1, 2].reduce((sum, c) => sum + x![3 * n + c]! * weight![3 * e + c]!, 0),
          );
          const p = softmax(dots);
          const size = 4 / groups;
          const best = Array.from({ length: groups }, (_, g) => Math.max(...p.slice(g * size, (g + 1) * size)));
          const kept = best
            .map((_, g) => g)
            .sort((a, b) => best[b]! - best[a]!)
            .slice(0, topGroups);
          const open = p.map((_, e) => e).filter((e) => kept.includes(Math.floor(e / size)));
          const top = open.sort((a, b) => p[b]! - p[a]!).slice(0, topK);
          const sum = normalize ? top.reduce((total, e) => total + p[e]!, 0) : 1;
          return p.map((value, e) => (top.includes(e) ? (value / sum) * scale : 0));
        }).flat(),
    });
  });

  it('refuses numbers that cannot be', () => {
    const make = (options: RoutingOptions) => () => identityRouter(4, options);
    expect(make({ topK: 5 })).toThrow(
      'ExpertRouter: topK must be a whole number from 1 to the 4 experts to choose from, got 5',
    );
    expect(make({ topK: 3, groups: 2, topGroups: 1 })).toThrow('to the 2 experts to choose from, got 3');
    expect(make({ topK: 1, groups: 3 })).toThrow('groups must divide the 4 experts, got 3');
    expect(make({ topK: 1, groups: 2, topGroups: 3 })).toThrow(
      'topGroups must be a whole number from 1 to the 2 groups',
    );
    expect(make({ topK: 1, scale: 0 })).toThrow('scale must be a number greater than 0, got 0');
    expect(() => new ExpertRouter(new Parameter(tensor([1])), { topK: 1 })).toThrow('must be [E, C], got [1]');
  });

  it('refuses tokens of other axes, and options that are none', () => {
    const router = identityRouter(4, { topK: 1 });
    expect(() => router.forward(zeros([2, 4, 4]))).toThrow(
      'ExpertRouter: x must be [N, C]: expected [N, 4], got [2,4,4]',
    );
    expect(() => router.forward(zeros([2, 3]))).toThrow('expected [N, 4], got [2,3]');
    expect(() => identityRouter(4, { topK: 1, normTopkProb: true } as RoutingOptions)).toThrow(
      'ExpertRouter: there is no option normTopkProb; expected topK, groups,',
    );
  });
});

describe('MixtureOfExperts', () => {
  const make = (options: Partial<RoutingOptions> & { sharedHidden?: number } = {}) =>
    new MixtureOfExperts(6, 5, { experts: 4, topK: 2, rng: rng(), ...options });
  const input = () => randn([2, 7, 6], { rng: new Generator(9) });

  it('is what the chosen experts say, by their weights, and the shared one', async () => {
    const block = make({ sharedHidden: 3 });
    const x = input();
    const expected = scope(() => {
      const tokens = x.reshape([14, 6]);
      const { weights } = block.gate.forward(tokens);
      const answers = block.experts.map((expert, e) => expert.forward(tokens).mul(weights.narrow(1, e, 1)));
      return answers
        .reduce((sum, each) => sum.add(each))
        .reshape([2, 7, 6])
        .add(block.sharedExperts!.forward(x));
    });
    const y = block.forward(x);
    expect(y.shape).toEqual([2, 7, 6]);
    expectClose(await y.data(), await expected.data(), REORDERED);
  });

  it('names its parameters as DeepSeek does', () => {
    const names = [...make({ sharedHidden: 3 }).namedParameters()].map(([name, { shape }]) => `${name} ${shape}`);
    expect(names.slice(0, 2)).toEqual(['gate.weight 4,6', 'experts.0.gate_proj.weight 5,6']);
    expect(names.at(-1)).toBe('shared_experts.down_proj.weight 6,3');
  });

  it('gives the same result and gradients where the host cannot see what was chosen', async () => {
    const run = () => {
      const block = make({ normalize: true });
      const x = randn([3, 6], { rng: new Generator(2) });
      x.requiresGrad = true;
      const y = block.forward(x);
      y.backward(tensor(seededRandom(5).normal(18), [3, 6]));
      return [y, ...[x, ...block.parameters()].map(({ grad, shape }) => grad ?? zeros(shape))];
    };
    const seen = run();
    Object.defineProperty(cpu(), 'readNow', { value: undefined, configurable: true });
    const unseen = run();
    Reflect.deleteProperty(cpu(), 'readNow'); // which was put before the device's own
    expect(unseen.length).toBe(seen.length);
    for (const [i, values] of seen.entries()) {
      expectClose(await unseen[i]!.data(), await values.data(), REORDERED);
    }
  });

  it('asks no expert that nobody chose, and has gradients of the others', async () => {
    const block = make({ topK: 1 });
    const asked: number[][] = [];
    for (const expert of block.experts) {
      const { forward } = expert;
      Object.assign(expert, {
        forward(x: Tensor) {
          asked.push([...x.shape]);
          return forward.call(expert, x);
        },
      });
    }
    const x = input();
    const y = block.forward(x.narrow(1, 0, 1)); // two tokens
    y.sum().backward();
    expect(asked.reduce((sum, [rows]) => sum + rows!, 0)).toBe(2);
    const trained = block.experts.filter((expert) => expert.parameters()[0]!.grad !== null);
    expect(trained.length).toBe(asked.length);
    expect(block.gate.weight.grad).not.toBeNull();
  });

  it('counts the memory of a token on its experts, on a device that computes nothing', () => {
    const peakOf = (topK: number) => {
      const device = new DryDevice();
      withDevice(device, () => scope(() => void make({ topK }).forward(zeros([64, 6]))));
      return device.memory.peakBytes;
    };
    expect(peakOf(2)).toBeGreaterThan(peakOf(1));
    expect(peakOf(4)).toBeGreaterThan(peakOf(2));
  });

  it('leaves nothing behind', () => {
    const block = make({ sharedHidden: 3 }).requiresGrad_(false);
    const x = input();
    const before = cpu().memory.liveBuffers;
    scope(() => void block.forward(x));
    expect(cpu().memory.liveBuffers).toBe(before);
  });

  it('takes no tokens', async () => {
    const block = make();
    const x = zeros([2, 0, 6], { requiresGrad: true });
    const y = block.forward(x);
    expect(y.shape).toEqual([2, 0, 6]);
    y.sum().backward();
    expect(x.grad!.shape).toEqual([2, 0, 6]);
  });

  it('refuses options that are none, or none at all', () => {
    expect(() => make({ numSharedExperts: 1 } as object)).toThrow(
      'MixtureOfExperts: there is no option numSharedExperts; expected experts, topK,',
    );
    expect(() => new (MixtureOfExperts as unknown as new (width: number, hidden: number) => unknown)(3, 4)).toThrow(
      'MixtureOfExperts: options have names: expected { experts, topK,',
    );
  });

  it('is one of parts that are there already, which must fit', async () => {
    const experts = [0, 1, 2].map(() => new GatedFeedForward(3, 4, { rng: rng() }));
    const gate = identityRouter(3, { topK: 3, normalize: true });
    const x = randn([5, 3], { rng: new Generator(1) });
    const block = new MixtureOfExperts({ gate, experts }); // all the same, and weights that sum to 1
    expectClose(await block.forward(x).data(), await experts[0]!.forward(x).data(), REORDERED);
    expect(() => new MixtureOfExperts({ gate, experts: experts.slice(1) })).toThrow(
      'MixtureOfExperts: there must be as many experts as the gate knows: expected 3, got 2',
    );
    expect(() => new MixtureOfExperts(3, 4, { experts: 0, topK: 1, rng: rng() })).toThrow(
      'experts must be a whole number',
    );
  });

  it('draws the same for the same seed', async () => {
    expectClose(await make().forward(input()).data(), await make().forward(input()).data(), EXACT);
  });
});
