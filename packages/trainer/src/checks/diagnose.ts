import type { Device, Generator, GeneratorState } from '@burin/tensor';
import type { Window } from '../data/windows.js';
import { NonFiniteError } from '../errors.js';
import { restoreGenerators } from '../generators.js';
import type { TrainableModel } from '../model.js';
import { findNonFiniteModule, nonFiniteGradients, nonFiniteParameters } from './non-finite.js';

/** A step whose loss or gradient is not finite, with all that is needed to run it again. */
export interface BadStep {
  readonly model: TrainableModel;
  readonly window: Window;
  readonly device: Device;
  readonly labelSmoothing: number;
  readonly generators: ReadonlyMap<string, Generator>;
  /** Of the generators, before the step. */
  readonly states: Readonly<Record<string, GeneratorState>>;
  /** Number of the step, from 1. */
  readonly step: number;
  readonly loss: number;
  readonly gradNorm: number;
  /** The last whole checkpoint. */
  readonly checkpoint: string | null;
}

/** Finds out where it went wrong, by running the step again with the same random numbers, and says it in one error. */
export async function diagnose(bad: BadStep): Promise<NonFiniteError> {
  const { model, window, device, labelSmoothing, step, loss, gradNorm, checkpoint } = bad;
  model.zeroGrad();
  restoreGenerators(bad.generators, bad.states);
  const lossIsBad = !Number.isFinite(loss);
  const [where, reason] = lossIsBad
    ? describeModule(await findNonFiniteModule(model, window, device, labelSmoothing))
    : describeGradients(await nonFiniteGradients(model, window, device, labelSmoothing));
  const broken = await nonFiniteParameters(model);
  return new NonFiniteError(
    `Trainer: step ${step}: ${lossIsBad ? `the loss is ${loss}` : `the norm of the gradients is ${gradNorm}`}: ${reason}` +
      (broken.length > 0 ? `; weights that are not finite: ${broken.slice(0, 5).join(', ')}` : '') +
      `; the step was not taken${checkpoint ? `, the last good checkpoint is ${checkpoint}` : ''}; ` +
      'look at the data of this step, or lower learningRate or maxGradNorm',
    { where, step },
  );
}

function describeModule(name: string | null): [where: string | null, reason: string] {
  if (name === null) return [null, 'run again, every layer is finite'];
  if (name === '') return ['', 'the first output that is not finite is that of the model itself, its loss'];
  return [name, `the first layer with an output that is not finite is ${name}`];
}

function describeGradients(names: readonly string[]): [where: string | null, reason: string] {
  const [first] = names;
  if (first === undefined) return [null, 'each is finite, but the sum of their squares is not'];
  return [first, `the first parameter with a gradient that is not finite is ${first} (of ${names.length})`];
}
