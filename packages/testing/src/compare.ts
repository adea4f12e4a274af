/** How far an element may lie from what is expected: `|actual − expected| ≤ atol + rtol · |expected|`. */
export interface Tolerance {
  readonly rtol: number;
  readonly atol: number;
}

/** Equal to the last bit, but for the sign of zero. */
export const EXACT: Tolerance = { rtol: 0, atol: 0 };

/**
 * Fails unless every element of `actual` is within the tolerance of `expected`. NaN equals NaN; an infinity equals only
 * itself.
 *
 * @param label - what is compared, put before the message
 * @throws Error that counts the elements which differ and shows the first and the worst of them
 */
export function expectClose(
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  tolerance: Tolerance,
  label = 'expectClose',
): void {
  if (actual.length !== expected.length) {
    throw new Error(`${label}: expected ${expected.length} elements, got ${actual.length}`);
  }
  let first = -1;
  let worst = -1;
  let failures = 0;
  for (let i = 0; i < actual.length; i++) {
    const excess = excessOver(tolerance, actual[i]!, expected[i]!);
    if (excess <= 0) continue;
    failures++;
    if (first < 0) first = i;
    if (worst < 0 || excess > excessOver(tolerance, actual[worst]!, expected[worst]!)) worst = i;
  }
  if (failures === 0) return;
  const describe = (i: number) => describeElement(i, actual[i]!, expected[i]!, tolerance);
  throw new Error(
    `${label}: ${failures} of ${actual.length} elements are not close: first ${describe(first)}` +
      (worst === first ? '' : `; worst ${describe(worst)}`),
  );
}

/** By how much the difference passes what is allowed: not above 0 if it is close, Infinity if it cannot be measured. */
function excessOver({ rtol, atol }: Tolerance, actual: number, expected: number): number {
  if (actual === expected || (Number.isNaN(actual) && Number.isNaN(expected))) return 0;
  const excess = Math.abs(actual - expected) - (atol + rtol * Math.abs(expected));
  return Number.isFinite(excess) ? excess : Infinity;
}

function describeElement(i: number, actual: number, expected: number, { rtol, atol }: Tolerance): string {
  const difference = Math.abs(actual - expected).toPrecision(3);
  const allowed = (atol + rtol * Math.abs(expected)).toPrecision(3);
  return `[${i}]: got ${actual}, expected ${expected} (off by ${difference}, allowed ${allowed} = ${atol} + ${rtol}·|expected|)`;
}

/**
 * How many float32 numbers lie between `a` and `b`, both rounded to float32: 0 for equal ones, 1 for neighbours. +0 and
 * −0 are equal; NaN is infinitely far from all but NaN.
 */
export function ulpDistance(a: number, b: number): number {
  if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) && Number.isNaN(b) ? 0 : Infinity;
  return Math.abs(orderedBits(a) - orderedBits(b));
}

/** float32 bits as an integer that grows with the number. */
function orderedBits(x: number): number {
  const bits = new Int32Array(Float32Array.of(x).buffer)[0]!;
  return bits >= 0 ? bits : -(bits & 0x7fffffff);
}
