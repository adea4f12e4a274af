import { Generator, randn, scope, type Tensor } from '@burin/tensor';
import type { Prepared } from '../case.js';

/** Normal numbers, the same in every run. They live until `dispose()`. */
export function inputs(...shapes: readonly (readonly number[])[]): Tensor[] {
  const rng = new Generator(0);
  return shapes.map((shape) => randn(shape, { rng }));
}

/** A case over `tensors`: what a run makes is freed at its end, the tensors with the case. */
export function over(tensors: readonly Tensor[], run: () => unknown, check: () => Promise<void>): Prepared {
  return {
    check,
    run: () =>
      scope(() => {
        run();
      }),
    dispose() {
      for (const tensor of tensors) {
        tensor.zeroGrad();
        tensor.dispose();
      }
    },
  };
}

/** Elements that checks look at: a few, spread over the whole. */
function samples(size: number): number[] {
  return Array.from({ length: 7 }, (_, i) => Math.floor((i * (size - 1)) / 6));
}

/**
 * Compares samples of a result with `expected(i)`, computed in float64, and frees it.
 *
 * @throws Error that names the first element that differs by more than `tolerance`, relative to numbers above 1
 */
export async function expectSamples(result: Tensor, expected: (i: number) => number, tolerance: number): Promise<void> {
  const values = await result.data();
  result.dispose();
  for (const i of samples(values.length)) {
    const want = expected(i);
    if (Math.abs(values[i]! - want) <= tolerance * Math.max(1, Math.abs(want))) continue;
    throw new Error(`element ${i} is wrong: expected ${want}, got ${values[i]}`);
  }
}
