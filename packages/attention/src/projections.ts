import { Linear, type LinearLike } from '@burin/nn';
import { type Generator, ShapeError } from '@burin/tensor';

/** The four projections of an attention layer: plain, 4-bit, or with an adapter. */
export interface Projections {
  qProj: LinearLike; // [C] -> [H · D]
  kProj: LinearLike; // [C of the memory] -> [K · D]
  vProj: LinearLike; // [C of the memory] -> [K · Dv]
  oProj: LinearLike; // [H · Dv] -> [C]
}

/** The widths of projections that are to be made. */
export interface ProjectionWidths {
  /** C, of x and of the result. */
  width: number;
  /** D. Default: width / heads. */
  headDim?: number;
  /** The width of the memory that keys and values are made of. Default: width. */
  memoryWidth?: number;
  /** Whether the four have biases. Default true. */
  bias?: boolean;
  /** Draws the weights, and later what is dropped. */
  rng: Generator;
}

/** @throws RangeError if the width is not a multiple of the heads and no `headDim` is given */
export function buildProjections(options: ProjectionWidths, heads: number, kvHeads: number): Projections {
  const { width, headDim = width / heads, memoryWidth = width, bias = true, rng } = options;
  if (!Number.isInteger(headDim) || headDim < 1) {
    throw new RangeError(
      `MultiHeadAttention: the width must be a multiple of the heads: ${width} and ${heads}; or give headDim`,
    );
  }
  return {
    qProj: new Linear(width, heads * headDim, { bias, rng }),
    kProj: new Linear(memoryWidth, kvHeads * headDim, { bias, rng }),
    vProj: new Linear(memoryWidth, kvHeads * headDim, { bias, rng }),
    oProj: new Linear(heads * headDim, width, { bias, rng }),
  };
}

/** Sizes of a head, D and Dv. @throws ShapeError if the projections do not fit each other and the heads */
export function headDims(
  { qProj, kProj, vProj, oProj }: Projections,
  heads: number,
  kvHeads: number,
): { headDim: number; valueDim: number } {
  const headDim = qProj.outFeatures / heads;
  const valueDim = vProj.outFeatures / kvHeads;
  const rule = (holds: boolean, words: string, got: number) => {
    if (!holds) throw new ShapeError(`MultiHeadAttention: ${words}, got ${got}`);
  };
  rule(Number.isInteger(headDim), `qProj must give a multiple of its ${heads} heads`, qProj.outFeatures);
  rule(
    kProj.outFeatures === kvHeads * headDim,
    `kProj must give ${kvHeads} heads of ${headDim}: expected ${kvHeads * headDim}`,
    kProj.outFeatures,
  );
  rule(Number.isInteger(valueDim), `vProj must give a multiple of its ${kvHeads} heads`, vProj.outFeatures);
  rule(
    oProj.inFeatures === heads * valueDim,
    `oProj must take ${heads} heads of ${valueDim}: expected ${heads * valueDim}`,
    oProj.inFeatures,
  );
  return { headDim, valueDim };
}
