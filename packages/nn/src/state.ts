import { checkTensor, commonDevice, ShapeError, type Tensor } from '@burin/tensor';
import type { Module } from './module.js';

/** Which names of a module and of a checkpoint have no counterpart. */
export interface LoadReport {
  /** Names the module has and the checkpoint has not; a tied tensor counts once, under its first name. */
  missing: string[];
  /** Names the checkpoint has and the module has not. */
  unexpected: string[];
}

/** Every parameter and buffer of a module by its dotted name, tied ones once. The tensors are the module's own. */
export function stateDict(module: Module): Map<string, Tensor> {
  return new Map<string, Tensor>([...module.namedParameters(), ...module.namedBuffers()]);
}

/** The same, tied tensors under each of their names: where a checkpoint may put its values. */
export function stateTargets(module: Module): Map<string, Tensor> {
  const all = { duplicates: true };
  return new Map<string, Tensor>([...module.namedParameters(all), ...module.namedBuffers(all)]);
}

/**
 * Copies `state` into the module's parameters and buffers, converting to how they are stored. A tied one may come
 * under any of its names. Nothing is copied where an error is thrown.
 *
 * @param options.strict - refuse missing and unexpected names. Default true.
 * @throws ShapeError that names the tensor and both shapes; RangeError that lists missing and unexpected names; DeviceError
 *   or LifetimeError that names the tensor, if it is on another device or was freed; TypeError if it is part of a weight
 *   that is more than its tensors (one in 4 bits)
 * @example
 * loadStateDict(head, new Map([['weight', tensor(values, [2, 64])]]), { strict: false }); // { missing: ['bias'], ... }
 */
export function loadStateDict(
  module: Module,
  state: ReadonlyMap<string, Tensor>,
  { strict = true }: { strict?: boolean } = {},
): LoadReport {
  if (typeof state?.keys !== 'function') {
    throw new TypeError(
      'loadStateDict: a Map of tensors by name is expected; of an object: new Map(Object.entries(state))',
    );
  }
  const targets = stateTargets(module);
  const report = compareNames(targets, state.keys());
  if (strict) refuseDifferences('loadStateDict', report);
  const refusePart = partsRefuser(module);
  for (const [name, source] of state) {
    const target = targets.get(name);
    if (!target) continue;
    refusePart(`loadStateDict: ${name}`, target);
    checkSource(`loadStateDict: ${name}`, target, source);
  }
  for (const [name, source] of state) targets.get(name)?.copy_(source);
  return report;
}

/** What throws a TypeError for a tensor that means nothing without the rest of its module: see `Module.loadRefusal`. */
export function partsRefuser(root: Module): (who: string, tensor: Tensor) => void {
  const refusals = new Map<Tensor, string>();
  for (const [, module] of root.namedModules()) {
    if (module.loadRefusal === null) continue;
    for (const tensor of stateDict(module).values()) refusals.set(tensor, module.loadRefusal);
  }
  return (who, tensor) => {
    const refusal = refusals.get(tensor);
    if (refusal !== undefined) throw new TypeError(`${who}: ${refusal}`);
  };
}

/** All that `copy_` refuses. */
function checkSource(who: string, target: Tensor, source: Tensor): void {
  checkTensor(source, who);
  source.alive(who);
  if (`${target.shape}` !== `${source.shape}`) {
    throw new ShapeError(`${who}: expected [${target.shape}], got [${source.shape}]`);
  }
  commonDevice(who, target, source);
}

/** Compares the names of {@link stateTargets} with those of a checkpoint. */
export function compareNames(targets: ReadonlyMap<string, Tensor>, given: Iterable<string>): LoadReport {
  const names = new Set(given);
  const filled = new Set([...names].map((name) => targets.get(name)));
  const missing = new Map<Tensor, string>();
  for (const [name, tensor] of targets) {
    if (!filled.has(tensor) && !missing.has(tensor)) missing.set(tensor, name);
  }
  return { missing: [...missing.values()], unexpected: [...names].filter((name) => !targets.has(name)) };
}

/** @throws RangeError that lists the names, if there are any; `who` is put before it */
export function refuseDifferences(who: string, { missing, unexpected }: LoadReport): void {
  if (missing.length + unexpected.length === 0) return;
  throw new RangeError(
    `${who}: the names must be those of the module: missing ${list(missing)}; unexpected ${list(unexpected)}`,
  );
}

function list(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  return names.slice(0, 8).join(', ') + (names.length > 8 ? ` and ${names.length - 8} more` : '');
}
