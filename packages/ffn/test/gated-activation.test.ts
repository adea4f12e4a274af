import { type ActivationName, activationNames, activationOf, gatedActivation } from '@burin/ffn';
import { tensor, zeros } from '@burin/tensor';
import { checkGradient, devices, expectClose, FLOAT32, seededRandom } from '@burin/testing';
import { gated } from '@burin/testing/reference';
import { describe, expect, it } from 'vitest';

const FUSED = { silu: 'silu', gelu: 'geluErf', gelu_new: 'geluTanh', relu: 'relu', sigmoid: 'sigmoid' } as const;

describe.each(devices)('gatedActivation on %s', (device) => {
  // golden, by hand: relu(−1) · 5 = 0, relu(2) · 3 = 6
  it('multiplies the activated gate by up', async () => {
    const y = gatedActivation(tensor([-1, 2], [2], { device }), tensor([5, 3], [2], { device }), 'relu');
    expectClose(await y.data(), [0, 6], FLOAT32);
  });

  it.each(Object.entries(FUSED))('%s has the values and gradients of the reference', async (name, op) => {
    await checkGradient({
      device,
      shapes: [
        [3, 7],
        [3, 7],
      ],
      range: [-3, 3],
      run: ([gate, up]) => gatedActivation(gate!, up!, name as ActivationName),
      reference: ([gate, up]) => {
        const y = new Float64Array(gate!.length);
        gated(op, gate!, up!, y, y.length);
        return y;
      },
    });
  });

  it.each(activationNames)('%s equals the activation and the product one after the other', async (name) => {
    const random = seededRandom(5);
    const leaf = () => tensor(random.normal(35), [5, 7], { device, requiresGrad: true });
    const [gate, up] = [leaf(), leaf()];
    const [gate2, up2] = [gate, up].map((x) => Object.assign(x.clone().detach(), { requiresGrad: true }));
    const y = gatedActivation(gate, up, name);
    const y2 = activationOf(name)(gate2!).mul(up2!);
    y.sum().backward();
    y2.sum().backward();
    expectClose(await y.data(), await y2.data(), FLOAT32);
    expectClose(await gate.grad!.data(), await gate2!.grad!.data(), FLOAT32);
    expectClose(await up.grad!.data(), await up2!.grad!.data(), FLOAT32);
  });

  it('takes a function', async () => {
    const y = gatedActivation(tensor([3], [1], { device }), tensor([2], [1], { device }), (x) => x.square());
    expectClose(await y.data(), [18], FLOAT32);
  });

  it('refuses different shapes, and names that it does not know', () => {
    expect(() => gatedActivation(zeros([2, 3]), zeros([3, 2]))).toThrow(
      'gatedActivation: up must have the shape of gate: expected [2,3], got [3,2]',
    );
    expect(() => gatedActivation(zeros([2]), zeros([2]), 'glu' as 'silu')).toThrow("there is no 'glu'");
  });
});
