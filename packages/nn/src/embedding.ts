import { type DType, embedding, type Generator, ShapeError, type Tensor } from '@burin/tensor';
import * as init from './init.js';
import { Module } from './module.js';
import type { Parameter } from './parameter.js';

export interface EmbeddingOptions {
  /** Rows of this id get no gradient. */
  paddingIndex?: number;
  /** Standard deviation of the new weights; PyTorch's default is 1, Hugging Face models use 0.02. */
  std?: number;
  rng: Generator;
  dtype?: DType;
}

interface EmbeddingParameters {
  weight: Parameter;
  paddingIndex: number | undefined;
}

/** Learned vectors by id: `[...]` int32 -> `[..., C]`. Ids must be in 0 .. V − 1: see `checkIds`. */
export class Embedding extends Module {
  readonly weight: Parameter; // [V, C]
  readonly paddingIndex: number | undefined;

  /** `count` vectors of `width`, normal with `std`. */
  constructor(count: number, width: number, options: EmbeddingOptions | EmbeddingParameters) {
    super();
    this.weight = 'weight' in options ? options.weight : init.normal([count, width], 0, options.std ?? 1, options);
    this.paddingIndex = options.paddingIndex;
  }

  /** One of a table `[V, C]` that is there already; it may be shared, as a tied output head does. */
  static from(weight: Parameter, { paddingIndex }: { paddingIndex?: number } = {}): Embedding {
    const [count, width] = weight.shape;
    if (weight.shape.length !== 2)
      throw new ShapeError(`Embedding.from: the table must be [V, C], got [${weight.shape}]`);
    return new Embedding(count!, width!, { weight, paddingIndex });
  }

  forward(ids: Tensor): Tensor {
    const { paddingIndex } = this;
    return embedding(this.weight, ids, paddingIndex === undefined ? {} : { paddingIndex });
  }
}

/**
 * Checks ids on the host, before they go to a device, which could not say that one is wrong.
 *
 * @throws RangeError that names the first id outside 0 .. count − 1 and its place
 */
export function checkIds(ids: ArrayLike<number>, count: number, who: string): void {
  for (let i = 0; i < ids.length; i++) {
    const id = ids[i]!;
    if (!Number.isInteger(id) || id < 0 || id >= count) {
      throw new RangeError(`${who}: ids must be whole numbers from 0 to ${count - 1}, got ${id} at ${i}`);
    }
  }
}
