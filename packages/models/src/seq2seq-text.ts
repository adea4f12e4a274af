import type { Tensor } from '@burin/tensor';
import type { States } from './heads.js';
import { encodeFor, type Seq2SeqBody, shiftRight } from './seq2seq-forward.js';
import type { DecoderInput, EncoderInput } from './seq2seq-model.js';

/** What a head over an encoder-decoder reads: a text, which the decoder reads again. */
export interface Seq2SeqTextInput extends EncoderInput {
  /** int32 `[B, T]`. Left out: the text, moved by one. */
  decoderInputIds?: Tensor | null;
}

/** An encoder-decoder without a head. */
interface TextBody extends Seq2SeqBody {
  decoderStates(input: DecoderInput): States;
}

/**
 * The decoder's states of a text that encoder and decoder both read, `[B, T, C]`: how T5 and BART classify. The last token,
 * which is the text's end, has seen it twice. Texts are padded on the right: the decoder begins at the first place.
 */
export function textStates(model: TextBody, input: Seq2SeqTextInput): States {
  const decoderInputIds = input.decoderInputIds ?? shiftRight(input.inputIds, model.config);
  return model.decoderStates(encodeFor('textStates', model, { ...input, decoderInputIds }).decoderInput);
}
