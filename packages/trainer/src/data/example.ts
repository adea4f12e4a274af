/** One example, tokenized. */
export interface Example {
  readonly inputIds: ArrayLike<number>;
  /** A class, or a label for each token; −100 where a token is not trained. */
  readonly labels?: number | ArrayLike<number>;
  /** 1 for a token, 0 for padding that the example already holds. Left out: all ones. */
  readonly attentionMask?: ArrayLike<number>;
}

/** Examples by number: an array, or anything else that has a length and makes an example when it is asked for one. */
export interface Dataset<E> {
  readonly length: number;
  at(index: number): E | undefined;
}

/** The example at `index`. @throws RangeError if the data set has none */
export function exampleAt<E>(dataset: Dataset<E>, index: number): E {
  const found = dataset.at(index);
  if (found === undefined || found === null) {
    throw new RangeError(`dataset: expected an example at ${index} of ${dataset.length}, got ${String(found)}`);
  }
  return found;
}
