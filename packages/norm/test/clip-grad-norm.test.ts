import { clipGradNorm_, gradNorm, LayerNorm, type NormOrder } from '@burin/norm';
import { type Tensor, tensor, zeros } from '@burin/tensor';
import {
  devices,
  EXACT,
  expectClose,
  expectFixture,
  FLOAT32,
  fixtureTensor,
  readFixture,
  seededRandom,
} from '@burin/testing';
import { describe, expect, it } from 'vitest';

/** A parameter whose gradient is given. */
function withGradient(gradient: Tensor): Tensor {
  const parameter = zeros(gradient.shape, { device: gradient.device, requiresGrad: true });
  parameter.grad = gradient;
  return parameter;
}

describe.each(devices)('clipGradNorm_ on %s', (device) => {
  const parameters = () => [
    withGradient(tensor([3], [1], { device })),
    withGradient(tensor([[0, -4]], [1, 2], { device })),
  ];

  it('measures all gradients as one vector', async () => {
    const orders: NormOrder[] = [1, 2, Infinity];
    expect(await Promise.all(orders.map((ord) => gradNorm(parameters(), { ord }).item()))).toEqual([7, 5, 4]);
  });

  it('scales to the norm that is allowed, and returns the norm that was', async () => {
    const clipped = parameters();
    expect(await clipGradNorm_(clipped, 1).item()).toBe(5);
    expectClose(await clipped[0]!.grad!.data(), [0.6], FLOAT32);
    expectClose(await clipped[1]!.grad!.data(), [0, -0.8], FLOAT32);
  });

  it('leaves smaller gradients as they are, to the bit', async () => {
    for (const maxNorm of [5.1, Infinity]) {
      const gradient = seededRandom(1).uniform(37, -0.5, 0.5);
      const parameter = withGradient(tensor(gradient, [37], { device }));
      clipGradNorm_([parameter], maxNorm);
      expectClose(await parameter.grad!.data(), gradient, EXACT);
    }
  });

  it('agrees with PyTorch', async () => {
    const fixture = readFixture('norm', 'clip_grad_norm');
    const cases = fixture.manifest.config.cases as { max_norm: number; norm_type: number | 'inf' }[];
    for (const [i, { max_norm, norm_type }] of cases.entries()) {
      const parameters = [0, 1, 2].map((p) => withGradient(fixtureTensor(fixture, `grad_in.${p}`, { device })));
      const ord = (norm_type === 'inf' ? Infinity : norm_type) as NormOrder;
      await expectFixture(fixture, `case${i}.total_norm`, clipGradNorm_(parameters, max_norm, { ord }));
      for (const [p, { grad }] of parameters.entries()) await expectFixture(fixture, `case${i}.grad_out.${p}`, grad);
    }
  });

  it('skips what has no gradient, and counts a shared parameter once', async () => {
    const [three] = parameters();
    expect(await clipGradNorm_([three!, three!, zeros([2], { device })], 1.5).item()).toBe(3);
    expectClose(await three!.grad!.data(), [1.5], FLOAT32);
    expect(await gradNorm([zeros([2], { device })]).item()).toBe(0);
  });

  it('shows a NaN in the norm it returns', async () => {
    const broken = withGradient(tensor([1, NaN], [2], { device }));
    expect(await clipGradNorm_([broken], 1).item()).toBeNaN();
  });

  it('makes finite gradients 0 where the norm is Infinity', async () => {
    const broken = withGradient(tensor([1, Infinity], [2], { device }));
    expect(await clipGradNorm_([broken], 1).item()).toBe(Infinity);
    expect([...(await broken.grad!.data())]).toEqual([0, NaN]);
  });

  it('frees all but the norm', () => {
    const clipped = parameters();
    const { memory } = clipped[0]!.device;
    for (const ord of [1, 2, Infinity] as const) {
      const before = memory.liveBuffers;
      clipGradNorm_(clipped, 1, { ord }).dispose();
      expect(memory.liveBuffers).toBe(before);
    }
  });

  it('refuses what holds no parameters, which would be passed over', () => {
    const model = new LayerNorm(2);
    expect(() => clipGradNorm_(model.namedParameters() as unknown as Tensor[], 1)).toThrow(
      'clipGradNorm_: a tensor is expected, got an array',
    );
    expect(() => clipGradNorm_(model as unknown as Tensor[], 1)).toThrow(
      'clipGradNorm_: expected parameters, such as model.parameters(), got object',
    );
    expect(() => gradNorm(undefined as unknown as Tensor[])).toThrow(
      'gradNorm: expected parameters, such as model.parameters(), got undefined',
    );
  });

  it('refuses a norm or an order that is none', () => {
    expect(() => clipGradNorm_([], 1, Infinity as never)).toThrow(
      'clipGradNorm_: options have names: expected { ord }, got Infinity',
    );
    expect(() => clipGradNorm_([], 0)).toThrow('clipGradNorm_: maxNorm must be greater than 0, got 0');
    expect(() => clipGradNorm_([], Number.NaN)).toThrow('got NaN');
    expect(() => clipGradNorm_([], 1, { ord: 0 as 1 })).toThrow('clipGradNorm_: ord must be 1, 2 or Infinity, got 0');
    expect(() => gradNorm([], { ord: 4 as 1 })).toThrow('gradNorm: ord must be 1, 2 or Infinity, got 4');
  });
});
