/** Data that cannot be trained on: none, out of range, or without a single label that counts. */
export class DataError extends Error {
  override readonly name = 'DataError';
}

/** A loss or a gradient that is NaN or infinite. The weights are those of before the step. */
export class NonFiniteError extends Error {
  override readonly name = 'NonFiniteError';
  /** Dotted name of the first module or parameter that made it; null where none was found. */
  readonly where: string | null;
  /** The optimizer step that was not taken, counted from 1. */
  readonly step: number;

  constructor(message: string, { where, step }: { where: string | null; step: number }) {
    super(message);
    this.where = where;
    this.step = step;
  }
}

/** A parameter that was to be trained and is not. */
export class NotTrainedError extends Error {
  override readonly name = 'NotTrainedError';
  /** Dotted names of the parameters. */
  readonly parameters: readonly string[];

  constructor(message: string, parameters: readonly string[]) {
    super(message);
    this.parameters = parameters;
  }
}
