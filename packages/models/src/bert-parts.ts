import { Dropout } from '@burin/nn';
import type { Generator, Tensor } from '@burin/tensor';
import type { BertConfig } from './bert-config.js';
import type { ModelInput } from './model-input.js';
import type { Weights } from './weights.js';

/** What a BERT reads besides: int32 `[B, T]`, which of two texts a token belongs to. Left out: the first. */
export interface BertInput extends Omit<ModelInput, 'cache'> {
  tokenTypeIds?: Tensor | null;
}

/** How layers are made. */
export interface BertParts {
  config: BertConfig;
  weights: Weights;
  rng: Generator | null; // draws dropout in training
}

/** A layer that drops a share of p, or none where nothing is dropped or nobody draws. */
export function dropoutOf(p: number, rng: Generator | null): Dropout | null {
  return p > 0 && rng ? new Dropout(p, rng) : null;
}

/** `dropout` applied, where there is one. */
export function drop(dropout: Dropout | null, x: Tensor): Tensor {
  return dropout ? dropout.forward(x) : x;
}
