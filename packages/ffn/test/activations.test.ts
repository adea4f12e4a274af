import { type ActivationName, activationNames, activationOf, swish } from '@burin/ffn';
import { tensor } from '@burin/tensor';
import {
  checkGradient,
  devices,
  expectClose,
  expectFixture,
  FLOAT32,
  fixtureTensor,
  readFixture,
} from '@burin/testing';
import { normalCdf, sigmoid } from '@burin/testing/reference';
import { describe, expect, it } from 'vitest';

const geluTanh = (x: number) => 0.5 * x * (1 + Math.tanh(Math.sqrt(2 / Math.PI) * (x + 0.044715 * x ** 3)));
const REFERENCE: Record<ActivationName, (x: number) => number> = {
  relu: (x) => Math.max(x, 0),
  gelu: (x) => x * normalCdf(x),
  gelu_new: geluTanh,
  gelu_pytorch_tanh: geluTanh,
  silu: (x) => x * sigmoid(x),
  swish: (x) => x * sigmoid(x),
  quick_gelu: (x) => x * sigmoid(1.702 * x),
  tanh: Math.tanh,
  sigmoid,
};

/** The fixture's names and Hugging Face's. */
const FIXTURE_NAMES: readonly [string, ActivationName][] = [
  ['relu', 'relu'],
  ['gelu_erf', 'gelu'],
  ['gelu_tanh', 'gelu_new'],
  ['gelu_tanh', 'gelu_pytorch_tanh'],
  ['silu', 'silu'],
  ['silu', 'swish'],
  ['sigmoid', 'sigmoid'],
  ['tanh', 'tanh'],
  ['quick_gelu', 'quick_gelu'],
];

describe.each(devices)('activations on %s', (device) => {
  it.each(activationNames)('%s has the values and gradient of its formula', async (name) => {
    await checkGradient({
      device,
      shapes: [[3, 7]],
      range: [-4, 4],
      run: ([x]) => activationOf(name)(x!),
      reference: ([x]) => x!.map(REFERENCE[name]),
    });
  });

  it.each(FIXTURE_NAMES)('agrees with PyTorch: %s as %s', async (theirs, ours) => {
    const fixture = readFixture('ffn', 'activations');
    const x = fixtureTensor(fixture, 'x', { device, requiresGrad: true });
    const y = activationOf(ours)(x);
    y.backward(fixtureTensor(fixture, 'd_out', { device }));
    await expectFixture(fixture, `${theirs}.out`, y);
    await expectFixture(fixture, `${theirs}.grad.x`, x.grad);
  });

  it('swish takes its beta', async () => {
    await checkGradient({
      device,
      shapes: [[11]],
      range: [-3, 3],
      run: ([x]) => swish(2.5)(x!),
      reference: ([x]) => x!.map((v) => v * sigmoid(2.5 * v)),
    });
    const x = tensor([1, -2], [2], { device });
    expectClose(await swish(1)(x).data(), await activationOf('silu')(x).data(), FLOAT32);
  });
});

describe('activationOf refuses', () => {
  it('an unknown name, and lists those there are', () => {
    expect(() => activationOf('geglu')).toThrow(
      "activationOf: there is no 'geglu': expected one of relu, gelu, gelu_new, gelu_pytorch_tanh, silu, swish, " +
        'quick_gelu, tanh, sigmoid',
    );
    expect(() => activationOf('toString')).toThrow("there is no 'toString'");
  });

  it('a beta that is no number', () => {
    expect(() => swish(Number.NaN)).toThrow('swish: beta must be a finite number, got NaN');
  });
});
