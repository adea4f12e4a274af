import { cat, full, maskedFill, narrow, scope, type Tensor } from '@burin/tensor';
import { headLoss, neededLabels } from './head-loss.js';
import { type Head, labelLoss, type States } from './heads.js';
import type { DecoderInput, Seq2SeqInput, Seq2SeqModel, Seq2SeqOutput } from './seq2seq-model.js';

/** What encoder and decoder are asked, of any encoder-decoder. */
export interface Seq2SeqBody {
  readonly config: Pick<Seq2SeqModel['config'], 'decoderStartTokenId' | 'padTokenId'>;
  encode: Seq2SeqModel['encode'];
}

/**
 * Encoder, decoder and the loss of `labels`, of any encoder-decoder.
 *
 * @throws RangeError if neither `decoderInputIds` nor `labels` are given; `who` is put before it
 */
export function seq2seqForward(who: string, model: Seq2SeqModel, input: Seq2SeqInput): Seq2SeqOutput {
  const { encoded, decoderInput } = encodeFor(who, model, input);
  const { logits, hiddenStates } = model.decode(decoderInput);
  return { logits, loss: labelLoss(logits, input), hiddenStates, encoderHiddenStates: encoded.hiddenStates };
}

/** An encoder-decoder that gives its decoder's states, as the head reads them. */
interface WithDecoderStates extends Seq2SeqBody {
  decoderStates(input: DecoderInput): States;
}

/**
 * The loss that {@link seq2seqForward} returns, without its logits: what training calls.
 *
 * @param bias - `[V]`, added to the head's logits
 * @throws RangeError if there are no labels; `who` is put before it
 */
export function seq2seqLoss(
  who: string,
  model: WithDecoderStates,
  { head, bias = null }: { head: Head; bias?: Tensor | null },
  input: Seq2SeqInput,
): Tensor {
  const labels = neededLabels(who, input);
  const { states } = model.decoderStates(encodeFor(who, model, input).decoderInput);
  return headLoss(head, states, { labels, numItemsInBatch: input.numItemsInBatch, bias });
}

/** Runs the encoder, and says what the decoder reads. */
export function encodeFor(
  who: string,
  model: Seq2SeqBody,
  input: Seq2SeqInput,
): { encoded: States; decoderInput: DecoderInput } {
  const { labels = null, attentionMask = null, decoderAttentionMask = null, outputHiddenStates = false } = input;
  const inputIds = input.decoderInputIds ?? (labels && shiftRight(labels, model.config));
  if (!inputIds) {
    throw new RangeError(`${who}: the decoder needs tokens to read: give labels or decoderInputIds, got neither`);
  }
  const encoded = model.encode({ inputIds: input.inputIds, attentionMask, outputHiddenStates });
  const decoderInput = {
    ...{ inputIds, attentionMask: decoderAttentionMask, outputHiddenStates },
    memory: encoded.states,
    memoryMask: attentionMask,
  };
  return { encoded, decoderInput };
}

/**
 * What the decoder reads in training: the start token, then all labels but the last, int32 `[B, T]`. −100 becomes the
 * padding id.
 */
export function shiftRight(labels: Tensor, { decoderStartTokenId, padTokenId }: Seq2SeqBody['config']): Tensor {
  return scope(() => {
    const [batch, tokens] = labels.shape as [number, number];
    const start = full([batch, 1], decoderStartTokenId, { dtype: 'int32', device: labels.device });
    const moved = cat([start, narrow(labels, 1, 0, tokens - 1)], 1).to('float32'); // ids are exact below 2^24
    return maskedFill(moved, moved.clampMax(0).sign().abs().to('uint8'), padTokenId).to('int32');
  });
}
