import { Dropout } from '@burin/nn';
import type { Generator, Tensor } from '@burin/tensor';

/** A layer that drops a share of p, or none where nothing is dropped or nobody draws. */
export function dropoutOf(p: number, rng: Generator | null): Dropout | null {
  return p > 0 && rng ? new Dropout(p, rng) : null;
}

/** `dropout` applied, where there is one. */
export function drop(dropout: Dropout | null, x: Tensor): Tensor {
  return dropout ? dropout.forward(x) : x;
}
