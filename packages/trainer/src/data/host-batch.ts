import type { DType } from '@burin/tensor';

/** A label that is not trained: PyTorch's and Hugging Face's. */
export const IGNORE_INDEX = -100;

/** An array on the host, about to become a tensor. */
export interface HostTensor {
  readonly data: Int32Array | Float32Array | Uint8Array;
  readonly shape: readonly number[];
  /** Left out: that of the array. */
  readonly dtype?: DType;
}

/** What `forward` is given under one name: a tensor, a plain value, or an object that holds some. */
export type HostInput = HostTensor | number | boolean | { readonly [name: string]: HostInput };

/** Whether an input is an array that becomes a tensor. */
export function isHostTensor(input: HostInput | undefined): input is HostTensor {
  return typeof input === 'object' && ArrayBuffer.isView((input as Partial<HostTensor>).data);
}

/** A batch on the host: what a collator makes and the model's `forward` gets as tensors, under the same names. */
export interface HostBatch {
  readonly inputs: Readonly<Record<string, HostInput>>;
  /** 1 where the logits at t are for the label at t + 1, as in causal language models. Default 0. */
  readonly labelShift?: 0 | 1;
}

/**
 * Makes a batch of examples. `indices` are their places in the data set, for messages.
 *
 * Padding is known by its position; a label of padding is −100, and so is every other label that no loss is computed for:
 * the trainer counts the others.
 */
export type Collator<E, B extends HostBatch = HostBatch> = (examples: readonly E[], indices: readonly number[]) => B;

/** A batch of texts. */
export type TextBatch = HostBatch & {
  readonly inputs: { readonly inputIds: HostTensor; readonly attentionMask: HostTensor; readonly labels: HostTensor };
};

/** A batch of texts of which several lie in a row. */
export type PackedBatch = TextBatch & {
  readonly inputs: {
    readonly segments: HostTensor;
    readonly positions: { readonly ids: HostTensor; readonly max: number };
  };
};

/**
 * Labels of a batch that are not −100: how many terms the loss has. Where answers are looked for in texts, those whose
 * `startPositions` are not. 0 where the batch has neither.
 */
export function countTrained({ inputs }: HostBatch): number {
  const labels = inputs.labels ?? inputs.startPositions;
  if (!isHostTensor(labels)) return 0;
  let count = 0;
  for (const label of labels.data) if (label !== IGNORE_INDEX) count++;
  return count;
}

/** Tokens of a batch, without padding where the mask tells; 0 where its inputs are no tokens. */
export function countTokens({ inputs }: HostBatch): number {
  const { inputIds, attentionMask } = inputs;
  if (isHostTensor(attentionMask)) {
    let real = 0;
    for (const token of attentionMask.data) real += token;
    return real;
  }
  return isHostTensor(inputIds) ? inputIds.data.length : 0;
}
