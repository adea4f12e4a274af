import type { Tolerance } from '@burin/testing';

/** Half the distance from 1 to the next float32: the relative error of one rounding. */
export const ROUNDING = 2 ** -24;

/** What IEEE 754 rounds exactly: the float64 reference, rounded to float32, is off by the rounding of a parameter at most. */
export const EXACT_ROUNDING: Tolerance = { rtol: 2 * ROUNDING, atol: 0 };

/** A few roundings in a row, and an elementary function good to 2 units in the last place. */
export const ELEMENTARY: Tolerance = { rtol: 12 * ROUNDING, atol: 2 ** -126 };

/**
 * A sum of `count` float32 products of size about `scale`: each addition rounds a partial sum of at most
 * `count · scale`, lanes and blocks make it far better, cancellation makes the relative error meaningless.
 */
export function sumOf(count: number, scale = 1): Tolerance {
  return { rtol: 16 * ROUNDING, atol: 4 * ROUNDING * Math.max(4, count) * scale };
}

/**
 * A gradient against finite differences of the float64 reference. rtol is the promise; atol covers elements that are
 * small beside the terms of size `scale` that cancel in them, each rounded to float32.
 */
export function gradientOf(scale = 1): Tolerance {
  return { rtol: 1e-5, atol: 32 * ROUNDING * scale };
}
