import {
  type Axes,
  amaxAbs,
  checkOptions,
  noGrad,
  record,
  scope,
  sumAbs,
  sumSquares,
  type Tensor,
  widen,
} from '@burin/tensor';

/** Which norm: 1 sums absolute values, 2 is the Euclidean one, Infinity takes the largest absolute value. */
export type NormOrder = 1 | 2 | typeof Infinity;

/** Which norm, and over which axes. */
export interface VectorNormOptions {
  /** Default 2. */
  ord?: NormOrder;
  /** The axes that make up a vector; left out: all. */
  axes?: Axes;
  /** Keep reduced axes with length 1. Default false. */
  keepdim?: boolean;
}

/** Smaller than any root of a positive float32, so it replaces zeros only: `0 / NO_NORM` is the gradient 0. */
const NO_NORM = 1e-23;

/**
 * The L1, L2 or L∞ norm of vectors along `axes`, PyTorch's `linalg.vector_norm`.
 *
 * Its gradient at the zero vector is 0. Of equal largest elements each takes an even share of the L∞ gradient. NaN gives NaN.
 *
 * @returns `x`'s shape without `axes`
 * @throws RangeError if `ord` is another number, or an option is none
 * @example
 * await vectorNorm(tensor([3, 4])).item(); // 5
 */
export function vectorNorm(x: Tensor, options: VectorNormOptions = {}): Tensor {
  checkOptions('vectorNorm', options, ['ord', 'axes', 'keepdim']);
  const { ord = 2, axes, keepdim = false } = options;
  checkOrder('vectorNorm', ord);
  if (ord === 1) return sumAbs(x, axes, keepdim);
  if (ord === 2) return euclidean(x, axes, keepdim);
  return amaxAbs(x, axes, keepdim);
}

/** @throws RangeError if `ord` is not 1, 2 or Infinity */
export function checkOrder(who: string, ord: number): void {
  if (ord !== 1 && ord !== 2 && ord !== Infinity) {
    throw new RangeError(`${who}: ord must be 1, 2 or Infinity, got ${ord}`);
  }
}

/** Not sumSquares and sqrt one after the other: the derivative of a root at 0 would make NaN of 0 · ∞. */
function euclidean(input: Tensor, axes: Axes | undefined, keepdim: boolean): Tensor {
  return scope(() => {
    const x = widen(input, 'vectorNorm');
    const norm = noGrad(() => sumSquares(x, axes, keepdim).sqrt());
    const kept = keptShape(x, axes);
    return record('vectorNorm', [x], norm, [x, norm], (g, { saved }) => {
      const [x, norm] = saved as [Tensor, Tensor];
      const direction = x.div(norm.reshape(kept).clampMin(NO_NORM));
      return [direction.mul(g.reshape(kept))];
    });
  });
}

function keptShape(x: Tensor, axes: Axes | undefined): number[] {
  const list = typeof axes === 'number' ? [axes] : axes;
  const rank = x.shape.length;
  return x.shape.map((length, axis) => (!list || list.includes(axis) || list.includes(axis - rank) ? 1 : length));
}
