import type { DeviceBuffer, Kernels } from '@burin/tensor';

/** A run of one parameter and of its state, which lie on one page. Offsets and sizes in elements. */
export interface UpdateArguments {
  readonly parameter: DeviceBuffer;
  readonly gradient: DeviceBuffer;
  readonly offset: number; // into parameter and gradient
  readonly size: number;
  readonly state: DeviceBuffer | null; // the page; null where the rule keeps no state
  readonly stateOffsets: readonly number[]; // into the page, one for each state of the rule
  readonly step: number; // this update's number for this parameter, from 1
}

/** What one kind of optimizer does to a parameter; where its state lies is no concern of it. */
export interface UpdateRule<H> {
  readonly name: string; // of the optimizer, for messages
  readonly states: readonly string[]; // what is kept for each element of a parameter
  readonly defaults: Readonly<H>;
  /** @throws RangeError if a hyperparameter is out of its range */
  check(hyperparameters: H): void;
  /** Whether an update with these hyperparameters reads and writes the states. */
  usesState(hyperparameters: H): boolean;
  update(kernels: Kernels, args: UpdateArguments, hyperparameters: H): void;
}

/** @throws RangeError unless `value` is a finite number of 0 or more */
export function checkNotNegative(who: string, name: string, value: number): void {
  if (Number.isFinite(value) && value >= 0) return;
  throw new RangeError(`${who}: ${name} must be a finite number of 0 or more, got ${value}`);
}
