import { type Shape, ShapeError, type Tensor } from '@burin/tensor';

/** What {@link rmsNorm} and {@link layerNorm} take besides. */
export interface NormOptions {
  /** Added to the mean of squares (or the variance) before the root; in units of x². Greater than 0. */
  eps?: number;
}

/** How a normalisation over the last axis sees its input. */
export interface Rows {
  rows: number;
  cols: number;
}

/**
 * Checks what rmsNorm and layerNorm are given, and says how many rows of which width there are.
 *
 * @throws ShapeError if `x` has no last axis, or a scale or shift is not as long as it
 * @throws RangeError if `eps` is not greater than 0
 */
export function checkRows(who: string, x: Tensor, eps: number, scales: Record<string, Tensor | null>): Rows {
  checkEps(who, eps);
  const cols = x.shape.at(-1);
  if (!cols) {
    throw new ShapeError(`${who}: x must have a last axis to normalise: expected [..., C], got [${x.shape}]`);
  }
  for (const [name, scale] of Object.entries(scales)) {
    if (scale && !isVector(scale.shape, cols)) {
      throw new ShapeError(
        `${who}: ${name} must have the length of x's last axis: ` +
          `expected [${cols}], got [${scale.shape}] (x is [${x.shape}])`,
      );
    }
  }
  return { rows: x.size / cols, cols };
}

/** @throws RangeError if `eps` is not greater than 0 */
export function checkEps(who: string, eps: number): void {
  if (!(eps > 0)) throw new RangeError(`${who}: eps must be greater than 0, got ${eps}`);
}

/** @throws RangeError if a width is not a whole number of 1 or more */
export function checkWidth(who: string, what: string, width: number): void {
  if (!Number.isInteger(width) || width < 1) {
    throw new RangeError(`${who}: ${what} must be a whole number of 1 or more, got ${width}`);
  }
}

function isVector(shape: Shape, length: number): boolean {
  return shape.length === 1 && shape[0] === length;
}
