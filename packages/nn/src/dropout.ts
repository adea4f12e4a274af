import { dropout, type Generator, type Tensor } from '@burin/tensor';
import { Module } from './module.js';

/**
 * In training mode sets each element to 0 with probability `p` and scales the rest by 1 / (1 − p), so that the mean
 * stays; in evaluation mode, or with p = 0, returns its input.
 *
 * @see Srivastava et al. 2014, https://jmlr.org/papers/v15/srivastava14a.html
 */
export class Dropout extends Module {
  readonly p: number;
  readonly rng: Generator;

  /**
   * @param rng - draws what is dropped: the same state gives the same mask on every device
   * @throws RangeError if p is not in [0, 1)
   */
  constructor(p: number, rng: Generator) {
    super();
    if (!(p >= 0 && p < 1)) throw new RangeError(`Dropout: p must be in [0, 1), got ${p}`);
    this.p = p;
    this.rng = rng;
  }

  /** `[...] -> [...]` */
  forward(x: Tensor): Tensor {
    return this.training && this.p > 0 ? dropout(x, this.p, this.rng) : x;
  }
}
