import { DataError } from '../errors.js';
import { type Dataset, exampleAt } from './example.js';
import { type Collator, countTrained, type HostBatch, isHostTensor } from './host-batch.js';

/** What a data set holds. */
export interface DatasetReport {
  readonly examples: number;
  /** Labels that count, of all examples. */
  readonly trainedTokens: number;
  /** The same of each example. */
  readonly trainedPerExample: Int32Array;
  /** Tokens of each example, as the collator cuts it; the longer of source and target. */
  readonly lengths: Int32Array;
  /** Places of the examples that train nothing. */
  readonly untrained: readonly number[];
}

/**
 * Goes once through all data on the host: every example is collated by itself, which checks it, and its trained labels
 * are counted.
 *
 * @throws DataError if there is no example, no label that counts in any of them, or the collator refuses one
 */
export function inspectDataset<E>(dataset: Dataset<E>, collator: Collator<E>, who = 'inspectDataset'): DatasetReport {
  if (!(dataset.length > 0))
    throw new DataError(`${who}: the data set must have an example at least, got ${dataset.length}`);
  const trainedPerExample = new Int32Array(dataset.length);
  const lengths = new Int32Array(dataset.length);
  const untrained: number[] = [];
  let trainedTokens = 0;
  for (let index = 0; index < dataset.length; index++) {
    const batch = collator([exampleAt(dataset, index)], [index]);
    const trained = countTrained(batch);
    trainedPerExample[index] = trained;
    trainedTokens += trained;
    lengths[index] = lengthOf(batch);
    if (trained === 0) untrained.push(index);
  }
  if (trainedTokens === 0) throw nothingTrained(who, dataset.length, collator([exampleAt(dataset, 0)], [0]));
  return { examples: dataset.length, trainedTokens, trainedPerExample, lengths, untrained };
}

function nothingTrained(who: string, examples: number, { inputs }: HostBatch): DataError {
  if (isHostTensor(inputs.labels) || isHostTensor(inputs.startPositions)) {
    return new DataError(
      `${who}: a label at least must count: expected one that is not -100, got none in ${examples} examples; ` +
        'look at one with describeExample: its labels may be missing, all masked, or cut off by maxLength',
    );
  }
  return new DataError(
    `${who}: a batch must have labels, as their number is what its loss weighs: expected an array labels, ` +
      `got ${Object.keys(inputs).join(', ')}; where the loss reads none, let the collator give one for each of its terms`,
  );
}

/** The last axis of the inputs: tokens of a text, the longer of source and target, or whatever else the model is given. */
function lengthOf({ inputs }: HostBatch): number {
  const first = inputs.inputIds ?? Object.values(inputs)[0];
  const lengths = [first, inputs.labels].map((input) => (isHostTensor(input) ? (input.shape.at(-1) ?? 0) : 0));
  return Math.max(...lengths);
}
