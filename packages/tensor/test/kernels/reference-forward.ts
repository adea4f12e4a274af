import { dot, expectClose, numericGradient, type Tolerance } from '@burin/testing';
import * as reference from '@burin/testing/reference';

export { reference };

/** Runs a float64 reference that fills an output of `size`, and gives that back. */
export function output(size: number, run: (y: Float64Array) => void): Float64Array {
  const y = new Float64Array(size);
  run(y);
  return y;
}

/**
 * Fails unless `gradient`, made by a device, is that of `Σ g · forward(x)` by differences of the float64 `forward`.
 *
 * @param forward - from the input in float64 to the output whose gradient is `g`
 */
export function expectGradient(
  gradient: ArrayLike<number>,
  forward: (x: Float64Array) => Float64Array,
  x: ArrayLike<number>,
  g: ArrayLike<number>,
  tolerance: Tolerance,
  label = 'gradient',
): void {
  expectClose(
    gradient,
    numericGradient((at) => dot(g, forward(at)), x),
    tolerance,
    label,
  );
}
