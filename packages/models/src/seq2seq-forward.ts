import { cat, full, maskedFill, narrow, scope, type Tensor } from '@burin/tensor';
import { labelLoss } from './heads.js';
import type { Seq2SeqInput, Seq2SeqModel, Seq2SeqOutput } from './seq2seq-model.js';

/**
 * Encoder, decoder and the loss of `labels`, of any encoder-decoder.
 *
 * @throws RangeError if neither `decoderInputIds` nor `labels` are given; `who` is put before it
 */
export function seq2seqForward(who: string, model: Seq2SeqModel, input: Seq2SeqInput): Seq2SeqOutput {
  const { labels = null, attentionMask = null, decoderAttentionMask = null, outputHiddenStates = false } = input;
  const decoderInputIds = input.decoderInputIds ?? (labels && shiftRight(labels, model.config));
  if (!decoderInputIds) {
    throw new RangeError(`${who}: the decoder needs tokens to read: give labels or decoderInputIds, got neither`);
  }
  const encoded = model.encode({ inputIds: input.inputIds, attentionMask, outputHiddenStates });
  const { logits, hiddenStates } = model.decode({
    inputIds: decoderInputIds,
    attentionMask: decoderAttentionMask,
    memory: encoded.states,
    memoryMask: attentionMask,
    outputHiddenStates,
  });
  return { logits, loss: labelLoss(logits, input), hiddenStates, encoderHiddenStates: encoded.hiddenStates };
}

/**
 * What the decoder reads in training: the start token, then all labels but the last, int32 `[B, T]`. −100 becomes the
 * padding id.
 */
function shiftRight(labels: Tensor, { decoderStartTokenId, padTokenId }: Seq2SeqModel['config']): Tensor {
  return scope(() => {
    const [batch, tokens] = labels.shape as [number, number];
    const start = full([batch, 1], decoderStartTokenId, { dtype: 'int32', device: labels.device });
    const moved = cat([start, narrow(labels, 1, 0, tokens - 1)], 1).to('float32'); // ids are exact below 2^24
    return maskedFill(moved, moved.clampMax(0).sign().abs().to('uint8'), padTokenId).to('int32');
  });
}
