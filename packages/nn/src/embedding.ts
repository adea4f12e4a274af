import { type DType, embedding, type Generator, type Tensor } from '@burin/tensor';
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

/** Learned vectors by id: `[...]` int32 -> `[..., C]`. Ids must be in 0 .. V − 1: see `checkIds`. */
export class Embedding extends Module {
  readonly weight: Parameter; // [V, C]
  readonly paddingIndex: number | undefined;

  /** `count` vectors of `width`, normal with `std`. */
  constructor(count: number, width: number, options: EmbeddingOptions) {
    super();
    this.weight = init.normal([count, width], 0, options.std ?? 1, options);
    this.paddingIndex = options.paddingIndex;
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
