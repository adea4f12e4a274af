import { DataError } from '../errors.js';
import { type Collator, type HostInput, IGNORE_INDEX, isHostTensor } from './host-batch.js';

/**
 * A collator whose ids are compared with the vocabulary of the model, where that has a `config` which says how large it is. A
 * device cannot refuse an id, and takes the nearest row for it: text of another model's tokenizer would train to nonsense.
 *
 * @throws DataError from the collator, with the id that the model does not have
 */
export function withinVocabulary<E>(collator: Collator<E>, model: object): Collator<E> {
  const { config } = model as { config?: { vocabSize?: unknown } };
  const vocabSize = config?.vocabSize;
  if (typeof vocabSize !== 'number') return collator;
  return (examples, indices) => {
    const batch = collator(examples, indices);
    checkIds('inputIds', batch.inputs.inputIds, vocabSize, indices);
    if (batch.labelShift === 1) checkIds('labels', batch.inputs.labels, vocabSize, indices); // they are tokens too
    return batch;
  };
}

function checkIds(name: string, input: HostInput | undefined, vocabSize: number, indices: readonly number[]): void {
  if (!isHostTensor(input)) return;
  const { data, shape } = input;
  const at = data.findIndex((id) => id !== IGNORE_INDEX && !(id >= 0 && id < vocabSize));
  if (at < 0) return;
  const row = Math.floor((at / data.length) * shape[0]!);
  const where = shape[0] === indices.length ? `example ${indices[row]}` : `examples ${indices.join(', ')}`; // packed
  throw new DataError(
    `Trainer: ${where}: ${name} must be ids of the model's vocabulary: expected 0 to ${vocabSize - 1}, got ${data[at]}; ` +
      'encode the text with the tokenizer of this model',
  );
}
