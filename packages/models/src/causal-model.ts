import type { Module, RotaryScaling } from '@burin/nn';
import type { Tensor } from '@burin/tensor';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';

/** What a decoder with a language-model head reads. */
export interface CausalInput extends ModelInput {
  /** Logits of the last so many tokens only: generation needs one. Takes no labels. Left out: of all. */
  logitsToKeep?: number;
}

/** What generation asks of whatever says which token is next. */
export interface NextTokenModel {
  readonly config: {
    readonly vocabSize: number;
    /** Layers that keep keys and values: one cache each. */
    readonly numHiddenLayers: number;
    /** Tokens of a text at most; Infinity where there is no bound. */
    readonly maxPositionEmbeddings: number;
    /** Generation ends with any of these. */
    readonly eosTokenIds: readonly number[];
    /** How far each layer sees; null: everything. Left out: so do all. */
    readonly slidingWindows?: readonly (number | null)[];
    /** How positions are stretched; null or left out: not at all. */
    readonly ropeScaling?: RotaryScaling | null;
  };
  /** Logits of the next token, `[B, T, V]`. */
  forward(input: CausalInput): { logits: Tensor };
}

/** A decoder with a language-model head, of any family: what `generate` takes. */
export interface CausalModel extends NextTokenModel, Module {
  /** And the loss of `labels` `[B, T]`, which are moved by one. */
  forward(input: CausalInput & LossInput): ModelOutput;
}
