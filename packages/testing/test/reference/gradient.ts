import { dot, expectClose, numericGradient, seededRandom } from '../../src/index.js';

/** Differences in float64 are good to about 1e-9 here; a lost term or a wrong sign is far off. */
const DIFFERENCES = { rtol: 1e-6, atol: 1e-8 };

/** Numbers with no two alike and none near 0, where kinks are. */
export function inputs(seed: number, size: number): Float64Array {
  return Float64Array.from(seededRandom(seed).normal(size), (x) => x + 0.1 * Math.sign(x));
}

/**
 * Fails unless `gradient` is that of `Σ g · forward(x)` at `x`.
 *
 * @param forward - from an input to the output whose gradient is `g`
 */
export function expectGradient(
  gradient: ArrayLike<number>,
  forward: (x: Float64Array) => Float64Array,
  x: Float64Array,
  g: Float64Array,
): void {
  expectClose(
    gradient,
    numericGradient((at) => dot(g, forward(at)), x),
    DIFFERENCES,
  );
}
