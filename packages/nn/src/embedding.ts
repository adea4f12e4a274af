import { type DType, embedding, type Generator, ShapeError, scope, type Tensor, zeros } from '@burin/tensor';
import { checkLayerOptions, checkParameter } from './construction-checks.js';
import * as init from './init.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';

/** A new {@link Embedding}. */
export interface EmbeddingOptions {
  /** The vector of this id starts as zeros and gets no gradient. */
  paddingIndex?: number;
  /** Standard deviation of the new weights. Default 1, as PyTorch; Hugging Face's models use 0.02. */
  std?: number;
  /** Draws the weights. */
  rng: Generator;
  /** How the table is stored: float32 (default), float16 or bfloat16. */
  dtype?: DType;
}

/** Parameters that are there already. */
interface EmbeddingParameters {
  weight: Parameter;
  paddingIndex: number | undefined;
}

/** Learned vectors by id: `[...]` int32 -> `[..., C]` float32. */
export class Embedding extends Module {
  readonly weight: Parameter; // [V, C]
  readonly paddingIndex: number | undefined;

  /**
   * `count` new vectors of `width`, normal with `std`. For a table that is there already see {@link Embedding.from}.
   *
   * @throws RangeError if a size is not a whole number of 1 or more, or `paddingIndex` is none of the ids; DtypeError if
   *   `dtype` is not floating
   */
  constructor(count: number, width: number, options: EmbeddingOptions | EmbeddingParameters) {
    super();
    checkLayerOptions('Embedding', options);
    const { paddingIndex } = options;
    this.paddingIndex = paddingIndex;
    if ('weight' in options) {
      this.weight = options.weight;
      return;
    }
    checkSizes(count, width);
    checkPadding('Embedding', paddingIndex, count);
    this.weight = init.normal([count, width], 0, options.std ?? 1, options);
    if (paddingIndex !== undefined) {
      scope(() => this.weight.assign_(zeros([1, width], { dtype: this.weight.dtype }), 0, paddingIndex));
    }
  }

  /**
   * One of a table that is there already; it may be shared, as a tied output head does, and is not changed.
   *
   * @param weight - `[V, C]`
   * @throws ShapeError if it has not two axes; RangeError if `paddingIndex` is none of the ids; TypeError for a plain
   *   tensor that needs no gradient
   */
  static from(weight: Parameter, { paddingIndex }: { paddingIndex?: number } = {}): Embedding {
    checkParameter('Embedding.from: the table', weight);
    const [count, width] = weight.shape;
    if (weight.shape.length !== 2) {
      throw new ShapeError(`Embedding.from: the table must be [V, C], got [${weight.shape}]`);
    }
    checkPadding('Embedding.from', paddingIndex, count!);
    return new Embedding(count!, width!, { weight, paddingIndex });
  }

  /**
   * @param ids - int32 `[...]`, each 0 .. V − 1. A device cannot refuse another one, and reads the nearest row for it:
   *   check ids on the host with `checkIds`.
   * @returns `[..., C]`
   */
  forward(ids: Tensor): Tensor {
    const { paddingIndex } = this;
    return embedding(this.weight, ids, paddingIndex === undefined ? {} : { paddingIndex });
  }
}

function checkSizes(count: number, width: number): void {
  for (const size of [count, width]) {
    if (!Number.isInteger(size) || size < 1) {
      throw new RangeError(`Embedding: sizes must be whole numbers of 1 or more, got ${count} and ${width}`);
    }
  }
}

function checkPadding(who: string, paddingIndex: number | undefined, count: number): void {
  if (paddingIndex === undefined) return;
  if (Number.isInteger(paddingIndex) && paddingIndex >= 0 && paddingIndex < count) return;
  throw new RangeError(`${who}: paddingIndex must be one of the ids 0 to ${count - 1}, got ${paddingIndex}`);
}
