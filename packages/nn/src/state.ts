import { ShapeError, type Tensor } from '@burin/tensor';
import type { Module } from './module.js';

/** Every parameter and buffer of a module by its dotted name. The tensors are the module's own. */
export function stateDict(module: Module): Map<string, Tensor> {
  return new Map<string, Tensor>([...module.namedParameters(), ...module.namedBuffers()]);
}

export interface LoadReport {
  /** Names the module has and `state` has not. */
  missing: string[];
  /** Names `state` has and the module has not. */
  unexpected: string[];
}

/**
 * Copies `state` into the module's parameters and buffers, converting to how they are stored. A tied parameter may come
 * under any of its names.
 *
 * @param options.strict - refuse missing and unexpected names. Default true.
 * @throws ShapeError that names the tensor and both shapes; RangeError that lists missing and unexpected names
 */
export function loadStateDict(
  module: Module,
  state: ReadonlyMap<string, Tensor>,
  { strict = true }: { strict?: boolean } = {},
): LoadReport {
  const own = new Map<string, Tensor>([...module.namedParameters({ duplicates: true }), ...module.namedBuffers()]);
  const report = compareNames(own, state);
  if (strict && report.missing.length + report.unexpected.length > 0) {
    throw new RangeError(
      `loadStateDict: names differ: missing ${list(report.missing)}; unexpected ${list(report.unexpected)}`,
    );
  }
  for (const [name, source] of state) {
    const target = own.get(name);
    if (!target) continue;
    if (`${target.shape}` !== `${source.shape}`) {
      throw new ShapeError(`${name}: expected [${target.shape}], got [${source.shape}]`);
    }
  }
  for (const [name, source] of state) own.get(name)?.copy_(source);
  return report;
}

function compareNames(own: ReadonlyMap<string, Tensor>, state: ReadonlyMap<string, Tensor>): LoadReport {
  const given = new Set([...state.keys()].map((name) => own.get(name)));
  const missing = new Map<Tensor, string>(); // a tied tensor is missing once
  for (const [name, tensor] of own) if (!given.has(tensor) && !missing.has(tensor)) missing.set(tensor, name);
  return { missing: [...missing.values()], unexpected: [...state.keys()].filter((name) => !own.has(name)) };
}

function list(names: readonly string[]): string {
  if (names.length === 0) return 'none';
  return names.slice(0, 8).join(', ') + (names.length > 8 ? ` and ${names.length - 8} more` : '');
}
