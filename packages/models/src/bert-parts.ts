import type { Tensor } from '@burin/tensor';
import type { BertConfig } from './bert-config.js';
import type { ModelParts } from './family.js';
import type { ModelInput } from './model-input.js';

/** What a BERT reads besides: int32 `[B, T]`, which of two texts a token belongs to. Left out: the first. */
export interface BertInput extends Omit<ModelInput, 'cache'> {
  tokenTypeIds?: Tensor | null;
}

/** How layers are made. */
export type BertParts = ModelParts<BertConfig>;
