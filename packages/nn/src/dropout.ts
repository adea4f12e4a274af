import { dropout, type Generator, type Tensor } from '@burin/tensor';
import { Module } from './module.js';

/** In training mode sets each element to 0 with probability `p` and scales the rest by 1 / (1 − p); else does nothing. */
export class Dropout extends Module {
  readonly p: number;
  readonly rng: Generator;

  /** @throws RangeError if p is not in [0, 1) */
  constructor(p: number, rng: Generator) {
    super();
    if (!(p >= 0 && p < 1)) throw new RangeError(`Dropout: p must be in [0, 1), got ${p}`);
    this.p = p;
    this.rng = rng;
  }

  forward(x: Tensor): Tensor {
    return this.training && this.p > 0 ? dropout(x, this.p, this.rng) : x;
  }
}
