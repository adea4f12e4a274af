import { type Shape, scope, type Tensor, tensor } from '@burin/tensor';
import { expectClose, type Tolerance } from './compare.js';
import type { DeviceName } from './devices.js';
import { dot, numericGradient } from './numeric-gradient.js';
import { seededRandom } from './seeded-random.js';

/** A few roundings of float32 (6e-8 each) on values of size 1. */
export const FLOAT32: Tolerance = { rtol: 2e-6, atol: 1e-6 };
/** The gradient adds products, so a few more roundings; finite differences of float64 are exact to 1e-10. */
export const GRADIENT: Tolerance = { rtol: 1e-5, atol: 3e-6 };

export interface GradientCase {
  /** Inputs by shape; random in `range` from a fixed seed unless `values` are given. */
  shapes: readonly Shape[];
  range?: readonly [low: number, high: number];
  values?: readonly (ArrayLike<number> | undefined)[];
  device?: DeviceName;
  run(inputs: Tensor[]): Tensor;
  /** The same in float64, on flat arrays. */
  reference(inputs: Float64Array[]): ArrayLike<number>;
}

/** Compares an operation's result with its float64 reference, and its gradients with differences of the reference. */
export async function checkGradient(test: GradientCase): Promise<void> {
  const random = seededRandom(7);
  const [low, high] = test.range ?? [-2, 2];
  const size = (shape: Shape) => shape.reduce((product, length) => product * length, 1);
  const device = test.device ?? 'cpu';
  const host = test.shapes.map((shape, i) =>
    Float64Array.from(test.values?.[i] ?? random.uniform(size(shape), low, high), Math.fround),
  );
  const inputs = host.map((values, i) => tensor(values, test.shapes[i]!, { requiresGrad: true, device }));
  const expected = Float64Array.from(test.reference(host));
  const seed = Float64Array.from(random.uniform(expected.length, -1, 1));

  const output = scope(() => test.run(inputs));
  expectClose(await output.data(), expected, FLOAT32, 'result');
  output.backward(tensor(seed, output.shape, { device }));
  for (const [i, input] of inputs.entries()) {
    const objective = (at: Float64Array) => dot(seed, test.reference(host.map((values, j) => (j === i ? at : values))));
    expectClose(await input.grad!.data(), numericGradient(objective, host[i]!), GRADIENT, `gradient of input ${i}`);
  }
}
