import { checkInputIds, checkTarget } from './checks.js';
import { type CollatorOptions, checkCollator, checkMaxLength, padded, paddedLength, tokenInputs } from './collators.js';
import type { Example } from './example.js';
import { type Collator, IGNORE_INDEX, type TextBatch } from './host-batch.js';

/** How sources and targets become a batch. */
export interface Seq2SeqCollatorOptions extends CollatorOptions {
  /** Ids of the target are below this. Default: `vocabSize`. */
  targetVocabSize?: number;
  /** Longer targets are cut at their end. Default: none is cut. */
  maxTargetLength?: number;
}

/**
 * Batches for encoder-decoders: the source as `inputIds` and `attentionMask` `[B, S]`, the target as `labels` `[B, T]`,
 * each padded at the end. `maxLength` and `vocabSize` are the source's.
 *
 * What the decoder reads the model makes of the labels: its start token, then all but the last. So a target holds its end
 * token and no start token. The label of padding is −100 because of where it is.
 *
 * @throws DataError from the collator, naming the example: no tokens, no list of labels, or an id out of range
 * @example
 * seq2seqCollator()([{ inputIds: [5, 6], labels: [7, 2] }, { inputIds: [5], labels: [8, 9, 2] }], [0, 1]).inputs.labels.data;
 * // [7, 2, -100, 8, 9, 2]
 */
export function seq2seqCollator(options: Seq2SeqCollatorOptions = {}): Collator<Example, TextBatch> {
  checkCollator('seq2seqCollator', options, ['targetVocabSize', 'maxTargetLength']);
  const { maxTargetLength, targetVocabSize = options.vocabSize } = options;
  checkMaxLength('seq2seqCollator', maxTargetLength, 'maxTargetLength');
  return (examples, indices) => {
    for (const [i, example] of examples.entries()) {
      checkInputIds('seq2seqCollator', example, indices[i] ?? i, options);
      checkTarget('seq2seqCollator', example, indices[i] ?? i, targetVocabSize);
    }
    const targets = examples.map(({ labels }) => ({ inputIds: labels as ArrayLike<number> }));
    const targetLength = paddedLength(targets, { maxLength: maxTargetLength });
    const labels = padded(targets, targetLength, IGNORE_INDEX, ({ inputIds }, t) => inputIds[t]!);
    return { inputs: { ...tokenInputs(examples, paddedLength(examples, options), options), labels } };
  };
}
