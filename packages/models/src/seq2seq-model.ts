import type { KeyValueCache } from '@burin/attention';
import type { Module } from '@burin/nn';
import type { Tensor } from '@burin/tensor';
import type { CausalInput, NextTokenModel } from './causal-model.js';
import type { States } from './heads.js';
import type { LossInput, ModelInput, ModelOutput } from './model-input.js';

/** What an encoder reads. */
export type EncoderInput = Pick<ModelInput, 'inputIds' | 'attentionMask' | 'outputHiddenStates'>;

/** What a decoder reads: its own tokens, and what the encoder made. */
export interface DecoderInput extends CausalInput {
  /** `[B, S, C]`: the encoder's last state. */
  memory: Tensor;
  /** uint8 `[B, S]`: the encoder's attention mask. */
  memoryMask?: Tensor | null;
  /** One cache a layer of the memory's keys and values, computed once. */
  memoryCache?: readonly KeyValueCache[] | null;
}

/** What an encoder-decoder reads. `decoderInputIds` left out: `labels`, moved by one. */
export interface Seq2SeqInput extends EncoderInput, LossInput {
  /** int32 `[B, T]` */
  decoderInputIds?: Tensor | null;
  /** uint8 `[B, T]` */
  decoderAttentionMask?: Tensor | null;
}

/** What an encoder-decoder returns; `hiddenStates` are the decoder's. */
export interface Seq2SeqOutput extends ModelOutput {
  /** `[B, S, C]` each, where hidden states are asked for. */
  encoderHiddenStates: Tensor[] | null;
}

/** An encoder-decoder with a language-model head, of any family: what `generateFromEncoder` takes. */
export interface Seq2SeqModel extends Module {
  readonly config: NextTokenModel['config'] & {
    /** Ids of the source are below this. Left out: as those of the target. */
    readonly sourceVocabSize?: number;
    /** What the decoder begins with. */
    readonly decoderStartTokenId: number;
    readonly padTokenId: number;
    /** The first token that is generated, whatever the logits say. */
    readonly forcedBosTokenId: number | null;
  };
  /** The encoder's states, `[B, S, C]`. */
  encode(input: EncoderInput): States;
  /** Logits of the next token, `[B, T, V]`. */
  decode(input: DecoderInput): { logits: Tensor; hiddenStates: Tensor[] | null };
}
