import { type Tensor, tensor, zeros } from '@burin/tensor';
import type { ConfigReader } from './config-reader.js';

/** The sizes of a batch. */
export interface BatchSizes {
  /** Texts or images. */
  batchSize: number;
  /** Tokens of each; of an encoder-decoder the source's. Not read for images. */
  sequenceLength: number;
  /** Tokens that an encoder-decoder writes. Default `sequenceLength`. */
  targetLength?: number;
}

/** A batch of the given sizes, as the head that `architecture` ends in reads it when it is trained. All ids are 0. */
export function trainingInput(architecture: string, config: ConfigReader, sizes: BatchSizes): Record<string, Tensor> {
  const { batchSize: B, sequenceLength: T, targetLength = T } = sizes;
  const ids = (...shape: number[]) => zeros(shape, { dtype: 'int32' });
  if (architecture.endsWith('ForImageClassification')) {
    const size = config.integer('image_size', 224);
    return { pixelValues: zeros([B, config.integer('num_channels', 3), size, size]), labels: ids(B) };
  }
  const mask = tensor(new Uint8Array(B * T).fill(1), [B, T]);
  const text = { inputIds: ids(B, T), attentionMask: mask };
  if (architecture.endsWith('ForSequenceClassification')) return { ...text, labels: ids(B) };
  if (architecture.endsWith('ForQuestionAnswering')) return { ...text, startPositions: ids(B), endPositions: ids(B) };
  const isSeq2Seq = architecture.endsWith('ForConditionalGeneration') || architecture === 'Transformer';
  return { ...text, labels: ids(B, isSeq2Seq ? targetLength : T) };
}
