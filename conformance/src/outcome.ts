import { scope, type Tensor } from '@burin/tensor';
import type { HostTensor } from './host-tensor.js';
import type { Tolerance } from './manifest.js';

/** What a group computed under the name of a tensor in the manifest. */
export interface Actual extends HostTensor {
  /** Compared only where it is not 0; it covers the first axes of the tensor: `[B, T]` of `[B, T, C]`. */
  readonly mask?: HostTensor;
  /** Applied to both sides before they are compared: two codes may stand for one value. */
  readonly canonical?: (value: number) => number;
}

/** A comparison with what the case expects in another way: a file in a format of its own, or a second way to a result. */
export interface Check {
  readonly name: string;
  /** Numbers, text, lists and tables, as for `values`. */
  readonly actual: unknown;
  readonly expected: unknown;
  readonly tolerance: Tolerance;
}

/** All that a group computed for a case. What the manifest does not expect is passed over. */
export interface Outcome {
  readonly tensors?: Readonly<Record<string, Actual>>;
  readonly values?: Readonly<Record<string, unknown>>;
  /** Inputs that follow from others (a mask drawn out in full, a table of constants): those in the case must be equal. */
  readonly inputs?: Readonly<Record<string, Actual>>;
  /** Tensors that other files of the case hold, by file name, then by tensor. */
  readonly files?: Readonly<Record<string, Readonly<Record<string, Actual>>>>;
  readonly also?: readonly Check[];
}

/** Runs a group's work in a scope and reads what it returns; names without a tensor are left out. Frees all of it. */
export async function read(body: () => Record<string, Tensor | null>): Promise<Record<string, HostTensor>> {
  const tensors = Object.entries(scope(body)).filter((entry): entry is [string, Tensor] => entry[1] !== null);
  const results: Record<string, HostTensor> = {};
  for (const [name, tensor] of tensors) results[name] = { shape: tensor.shape, data: await tensor.data() };
  for (const [, tensor] of tensors) tensor.dispose(); // not before: a tied gradient has two names
  return results;
}

/** The gradients of leaves after a backward pass, as `grad.NAME`. */
export function gradients(leaves: Readonly<Record<string, Tensor | null>>): Record<string, Tensor | null> {
  return Object.fromEntries(Object.entries(leaves).map(([name, leaf]) => [`grad.${name}`, leaf?.grad ?? null]));
}
