import { fromBytes, isFloating, ShapeError, type Tensor } from '@burin/tensor';
import type { Module } from './module.js';
import { compareNames, type LoadReport, partsRefuser, refuseDifferences, stateDict, stateTargets } from './state.js';
import { STORED_DTYPES, type StoredDtype, tensorDtype } from './stored-dtype.js';

/** A tensor as `writeCheckpoint` and `writeSafetensorsFile` of `@burin/checkpoint` take it. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDtype;
  readonly shape: readonly number[];
  /** Its bytes, read from its device when its turn comes, so that no more than one is in memory twice. */
  readonly data: () => Promise<Uint8Array>;
}

/** Tensors by name in a file: what `openCheckpoint` and `openSafetensors` of `@burin/checkpoint` give. */
export interface StoredFile {
  readonly name: string;
  readonly tensors: ReadonlyMap<string, { readonly dtype: string; readonly shape: readonly number[] }>;
  read(name: string): Promise<Uint8Array>;
}

/** Tensors by name, to be written as they are stored. */
export function storedTensors(state: ReadonlyMap<string, Tensor>): StoredTensor[] {
  return [...state].map(([name, tensor]) => {
    return { name, dtype: STORED_DTYPES[tensor.dtype], shape: tensor.shape, data: () => tensor.bytes() };
  });
}

/**
 * Every parameter and buffer of a module, to be written as they are stored; tied ones once.
 *
 * @throws TypeError that names the tensor, if it is part of a weight that is more than its tensors (one in 4 bits)
 * @example
 * await writeCheckpoint('my-model', storedState(model)); // a folder that exists
 */
export function storedState(module: Module): StoredTensor[] {
  const state = stateDict(module);
  const refusePart = partsRefuser(module);
  for (const [name, tensor] of state) refusePart(`storedState: ${name}`, tensor);
  return storedTensors(state);
}

/**
 * Copies the tensors of a file into the module's parameters and buffers, one after the other, converting to how they are
 * stored there. A tied one may come under any of its names. Names, shapes and dtypes are checked before anything is copied.
 *
 * @param options.strict - refuse missing and unexpected names. Default true.
 * @throws RangeError that lists missing and unexpected names; ShapeError, RangeError or TypeError that names the file and
 *   the tensor, if its shape is another, its dtype is none that tensors have or does not fit, or it is part of a weight that
 *   is more than its tensors (one in 4 bits); what reading throws
 * @example
 * const file = await openCheckpoint('my-model');
 * await loadStored(model, file);
 * await file.close();
 */
export async function loadStored(
  module: Module,
  file: StoredFile,
  { strict = true }: { strict?: boolean } = {},
): Promise<LoadReport> {
  const targets = stateTargets(module);
  const report = compareNames(targets, file.tensors.keys());
  if (strict) refuseDifferences(`loadStored: ${file.name}`, report);
  const refusePart = partsRefuser(module);
  const found = [...file.tensors].flatMap(([name, stored]) => {
    const target = targets.get(name);
    if (!target) return [];
    const who = `loadStored: ${file.name}: ${name}`;
    refusePart(who, target);
    return [{ name, target, dtype: checkStored(who, target, stored) }];
  });
  for (const { name, target, dtype } of found) {
    const read = fromBytes(await file.read(name), target.shape, dtype, { device: target.device });
    target.copy_(read);
    read.dispose();
  }
  return report;
}

/** The dtype of what is stored. */
function checkStored(who: string, target: Tensor, { dtype, shape }: { dtype: string; shape: readonly number[] }) {
  if (`${target.shape}` !== `${shape}`) throw new ShapeError(`${who}: expected [${target.shape}], got [${shape}]`);
  const known = tensorDtype(dtype);
  if (known !== undefined && (known === target.dtype || (isFloating(known) && isFloating(target.dtype)))) return known;
  const fitting = isFloating(target.dtype) ? 'F32, F16 or BF16' : STORED_DTYPES[target.dtype];
  throw new RangeError(`${who}: its dtype must be ${fitting}, got ${dtype}`);
}
