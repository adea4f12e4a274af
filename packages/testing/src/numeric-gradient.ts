/** Large enough that rounding (about 1e-16 / step) and curvature (about step²) both stay near 1e-11. */
const STEP = 6e-6;

/**
 * The gradient of `f` at `xs` by central differences in float64, one coordinate at a time.
 *
 * @param f - reads its argument and keeps no reference to it
 * @returns as many numbers as `xs`
 */
export function numericGradient(f: (xs: Float64Array) => number, xs: ArrayLike<number>): Float64Array {
  const at = Float64Array.from(xs);
  return at.map((x, i) => {
    const step = STEP * Math.max(1, Math.abs(x));
    at[i] = x + step;
    const above = f(at);
    const [high, low] = [x + step, x - step]; // as rounded: their distance is not exactly 2 · step
    at[i] = low;
    const below = f(at);
    at[i] = x;
    return (above - below) / (high - low);
  });
}

/** `Σ a · b` in float64: makes one number of a result, whose gradient is `a`. */
export function dot(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`dot: lengths must be equal, got ${a.length} and ${b.length}`);
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i]! * b[i]!;
  return sum;
}
